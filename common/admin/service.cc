#include "common/admin/service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <optional>
#include <utility>

#include "common/admin/audit_trail.h"
#include "common/admin/convert.h"
#include "common/admin/convert_commands.h"
#include "common/admin/dead_desk.h"
#include "common/admin/errc.h"
#include "common/admin/gate.h"
#include "common/admin/held_desk.h"
#include "common/admin/registry.h"
#include "common/admin/server.h"
#include "common/commands/command_book.h"
#include "common/commands/errc.h"
#include "common/control/authority.h"
#include "common/control/errc.h"
#include "common/observe/log.h"
#include "common/record/records.h"
#include "godwit/admin/v1/admin.grpc.pb.h"

namespace godwit::admin {
namespace {

using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

constexpr std::uint32_t kDeadRowsDefault = 100;
constexpr std::uint32_t kDeadRowsMax = 10'000;
constexpr std::uint32_t kExceptionsDefault = 100;
constexpr std::uint32_t kExceptionsMax = 10'000;

constexpr observe::Logger kLog{"admin"};

Status status_of(const Error& error) {
  const auto is = [&](Errc code) { return error.code == make_error_code(code); };
  StatusCode code = StatusCode::INTERNAL;
  if (is(Errc::kInvalid)) code = StatusCode::INVALID_ARGUMENT;
  if (is(Errc::kRefused)) code = StatusCode::FAILED_PRECONDITION;
  if (is(Errc::kUnsupported)) code = StatusCode::UNIMPLEMENTED;
  if (is(Errc::kBusy)) code = StatusCode::RESOURCE_EXHAUSTED;
  if (error.code == control::Errc::kBadFile) code = StatusCode::INVALID_ARGUMENT;
  if (error.code == control::Errc::kReadOnly || error.code == control::Errc::kNotReady)
    code = StatusCode::FAILED_PRECONDITION;
  if (error.code == commands::Errc::kBadCommand) code = StatusCode::INVALID_ARGUMENT;
  if (error.code == commands::Errc::kNoSuchCommand) code = StatusCode::NOT_FOUND;
  if (error.code == commands::Errc::kTooMany) code = StatusCode::RESOURCE_EXHAUSTED;
  if (error.code == commands::Errc::kNotReady || error.code == commands::Errc::kOver)
    code = StatusCode::FAILED_PRECONDITION;
  // The client says what kind of error it is; the words of the context are ours to add.
  return {code, error.context.empty() ? error.to_string() : error.context};
}

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status::OK : status_of(result.error());
}

// Rows asked for, or the default for 0; nothing when that is too many.
std::optional<std::uint32_t> rows(std::uint32_t asked, std::uint32_t usual, std::uint32_t most) {
  if (asked > most) return std::nullopt;
  return asked == 0 ? usual : asked;
}

Status too_many(std::uint32_t most) {
  return {StatusCode::INVALID_ARGUMENT, fmt::format("at most {} can be asked for", most)};
}

class AdminService final : public v1::Admin::Service {
 public:
  AdminService(Gate& gate, const Services& services) : gate_(gate), services_(services) {}

  Status NodeInfo(ServerContext* context, const v1::NodeInfoRequest* request,
                  v1::NodeInfoResponse* response) override {
    return answer("NodeInfo", context, request, [&](const Caller&) {
      to_message(services_.process->info(), *response);
      return Status::OK;
    });
  }

  Status Drain(ServerContext* context, const v1::DrainRequest* request,
               v1::DrainResponse*) override {
    return answer("Drain", context, request, [&](const Caller& caller) {
      note(caller, "drain", request->leave() ? "leave" : "");
      services_.process->drain(request->leave());
      return Status::OK;
    });
  }

  Status Reload(ServerContext* context, const v1::ReloadRequest* request,
                v1::ReloadResponse* response) override {
    return answer("Reload", context, request, [&](const Caller& caller) -> Status {
      note(caller, "reload", "");
      auto notes = services_.process->reload();
      if (!notes) return {StatusCode::FAILED_PRECONDITION, notes.error().to_string()};
      for (std::string& note : *notes) response->add_notes(std::move(note));
      return Status::OK;
    });
  }

  Status QueueSummary(ServerContext* context, const v1::QueueSummaryRequest* request,
                      v1::QueueSummaryResponse* response) override {
    return answer("QueueSummary", context, request, [&](const Caller&) {
      if (services_.queues.empty()) return unsupported("no role here keeps a queue");
      const auto query = from_message(*request);
      if (!query) return status_of(query);
      std::vector<admin::QueueSummary> parts;
      for (QueueSource* source : services_.queues) {
        auto part = source->summary(*query);
        if (!part) return status_of(part);
        parts.push_back(*std::move(part));
      }
      to_message(merge(parts, query->rows_max), *response);
      return Status::OK;
    });
  }

  Status DeadList(ServerContext* context, const v1::DeadListRequest* request,
                  v1::DeadListResponse* response) override {
    return answer("DeadList", context, request, [&](const Caller&) {
      if (services_.records == nullptr) return unsupported("this process opens no log");
      const auto rows_max = rows(request->rows_max(), kDeadRowsDefault, kDeadRowsMax);
      if (!rows_max) return too_many(kDeadRowsMax);
      const auto list = services_.records->dead(*rows_max);
      if (list) to_message(*list, *response);
      return status_of(list);
    });
  }

  Status DeadShow(ServerContext* context, const v1::DeadShowRequest* request,
                  v1::DeadShowResponse* response) override {
    return answer("DeadShow", context, request, [&](const Caller&) {
      if (services_.dead == nullptr) return unsupported("this process opens no log");
      const auto details = services_.dead->show(request->key());
      if (details) to_message(*details, *response);
      return status_of(details);
    });
  }

  Status DeadRetry(ServerContext* context, const v1::DeadRetryRequest* request,
                   v1::DeadRetryResponse* response) override {
    return answer("DeadRetry", context, request, [&](const Caller& caller) {
      if (services_.dead == nullptr) return unsupported("this process opens no log");
      const auto retried = change(caller, "dead.retry", request->key(),
                                  [&] { return services_.dead->retry(request->key()); });
      if (retried) {
        response->set_topic(std::string(log::topic_name(retried->now.where.topic)));
        response->set_partition(retried->now.where.partition);
        response->set_offset(retried->now.offset);
      }
      return status_of(retried);
    });
  }

  Status DeadDrop(ServerContext* context, const v1::DeadDropRequest* request,
                  v1::DeadDropResponse* response) override {
    return answer("DeadDrop", context, request, [&](const Caller& caller) {
      if (services_.dead == nullptr) return unsupported("this process opens no log");
      const auto dropped = change(caller, "dead.drop", request->key(), [&] {
        return services_.dead->drop(request->key(), caller.to_text(), request->force());
      });
      if (dropped) response->set_cancelled(dropped->cancelled);
      return status_of(dropped);
    });
  }

  Status HeldList(ServerContext* context, const v1::HeldListRequest* request,
                  v1::HeldListResponse* response) override {
    return answer("HeldList", context, request, [&](const Caller&) {
      if (services_.held == nullptr) return unsupported("this process opens no log");
      const auto rows_max = rows(request->rows_max(), kDeadRowsDefault, kDeadRowsMax);
      if (!rows_max) return too_many(kDeadRowsMax);
      const auto list = services_.held->list(*rows_max);
      if (list) to_message(*list, *response);
      return status_of(list);
    });
  }

  Status HeldDecide(ServerContext* context, const v1::HeldDecideRequest* request,
                    v1::HeldDecideResponse* response) override {
    return answer("HeldDecide", context, request, [&](const Caller& caller) -> Status {
      if (services_.held == nullptr) return unsupported("this process opens no log");
      if (request->what() < v1::HeldDecideRequest::RETRY ||
          request->what() > v1::HeldDecideRequest::FAILED) {
        return {StatusCode::INVALID_ARGUMENT, "no decision"};
      }
      const auto decision = static_cast<accounting::HeldDecision>(request->what());
      const auto decided = change(
          caller, fmt::format("held.{}", accounting::decision_name(decision)), request->delivery(),
          [&] { return services_.held->decide(request->delivery(), decision, caller.to_text()); });
      if (decided) response->set_recipients(*decided);
      return status_of(decided);
    });
  }

  Status Deliveries(ServerContext* context, const v1::DeliveriesRequest* request,
                    v1::DeliveriesResponse* response) override {
    return answer("Deliveries", context, request, [&](const Caller&) {
      if (services_.deliveries.empty()) return unsupported("no role here keeps deliveries");
      const auto rows_max = rows(request->rows_max(), kDeadRowsDefault, kDeadRowsMax);
      if (!rows_max) return too_many(kDeadRowsMax);
      auto filter = commands::from_record(request->filter());
      if (filter && !filter->empty()) filter = commands::check_filter(*std::move(filter));
      if (!filter) return status_of(filter);
      const std::size_t wanted = request->counts_only() ? 0 : *rows_max;
      std::vector<DeliveryList> parts;
      for (DeliverySource* source : services_.deliveries) {
        auto part = source->deliveries(*filter, wanted);
        if (!part) return status_of(part);
        parts.push_back(*std::move(part));
      }
      to_message(merge(std::move(parts), wanted), *response);
      return Status::OK;
    });
  }

  Status DeliveryShow(ServerContext* context, const v1::DeliveryShowRequest* request,
                      v1::DeliveryShowResponse* response) override {
    return answer("DeliveryShow", context, request, [&](const Caller&) -> Status {
      if (services_.deliveries.empty()) return unsupported("no role here keeps deliveries");
      const auto id = DeliveryId::from_text(request->delivery());
      if (!id) return {StatusCode::INVALID_ARGUMENT, request->delivery() + " is no delivery id"};
      for (DeliverySource* source : services_.deliveries) {
        const auto found = source->delivery(*id);
        if (!found) return status_of(found);
        if (!*found) continue;
        to_message(**found, *response);
        return Status::OK;
      }
      return {StatusCode::NOT_FOUND, request->delivery() + " is not queued in this process"};
    });
  }

  Status CommandIssue(ServerContext* context, const v1::CommandIssueRequest* request,
                      v1::CommandIssueResponse* response) override {
    return answer("CommandIssue", context, request, [&](const Caller& caller) {
      if (services_.commands == nullptr) return unsupported("this process opens no log");
      auto order = from_message(*request);
      if (!order) return status_of(order);
      order->actor = caller.to_text();
      const auto checked = services_.commands->check(*order);
      if (!checked || request->dry_run()) {
        if (checked) commands::to_record(*checked, *response->mutable_command());
        return status_of(checked);
      }
      const auto issued =
          change(caller, fmt::format("command.{}", commands::kind_name(order->kind)),
                 checked->filter.to_text(), [&] { return services_.commands->issue(*order); });
      if (issued) commands::to_record(*issued, *response->mutable_command());
      return status_of(issued);
    });
  }

  Status CommandUndo(ServerContext* context, const v1::CommandUndoRequest* request,
                     v1::CommandUndoResponse* response) override {
    return answer("CommandUndo", context, request, [&](const Caller& caller) {
      if (services_.commands == nullptr) return unsupported("this process opens no log");
      const auto undone = change(caller, "command.undo", request->id(), [&] {
        return services_.commands->undo(commands::CommandId(request->id()), caller.to_text(),
                                        request->reason());
      });
      if (undone) commands::to_record(*undone, *response->mutable_command());
      return status_of(undone);
    });
  }

  Status CommandList(ServerContext* context, const v1::CommandListRequest* request,
                     v1::CommandListResponse* response) override {
    return answer("CommandList", context, request, [&](const Caller&) {
      if (services_.commands == nullptr) return unsupported("this process opens no log");
      const auto listed = services_.commands->list();
      if (listed) to_message(*listed, system_clock().now(), *response);
      return status_of(listed);
    });
  }

  Status ControlDiff(ServerContext* context, const v1::ControlRequest* request,
                     v1::ControlResponse* response) override {
    return answer("ControlDiff", context, request, [&](const Caller& caller) {
      if (services_.control == nullptr) return unsupported("this process has no control data");
      const auto plan = services_.control->diff(change_request(caller, *request));
      if (plan) to_message(control::Applied{.plan = *plan}, *response);
      response->set_version(services_.control->current()->version);
      return status_of(plan);
    });
  }

  Status ControlApply(ServerContext* context, const v1::ControlRequest* request,
                      v1::ControlResponse* response) override {
    return answer("ControlApply", context, request, [&](const Caller& caller) {
      if (services_.control == nullptr) return unsupported("this process has no control data");
      AuditEntry entry = entry_of(caller, "control.apply", {});
      const auto announce = [&](const control::ChangePlan& plan,
                                std::string_view batch) -> Result<void> {
        entry.subject = batch;
        for (const control::ObjectChange& one : plan.changes)
          entry.changes.push_back(one.to_text());
        return services_.trail == nullptr ? Result<void>{} : services_.trail->write(entry);
      };
      const auto applied = services_.control->apply(change_request(caller, *request), announce);
      if (applied) to_message(*applied, *response);
      if (!applied && !entry.subject.empty()) note_failure(entry, applied.error());
      return status_of(applied);
    });
  }

  Status ControlGet(ServerContext* context, const v1::ControlGetRequest* request,
                    v1::ControlGetResponse* response) override {
    return answer("ControlGet", context, request, [&](const Caller&) {
      if (services_.control == nullptr) return unsupported("this process has no control data");
      auto yaml = services_.control->to_yaml();
      response->set_version(services_.control->current()->version);
      response->set_writable(services_.control->writable());
      if (yaml) response->set_yaml(*yaml);
      return status_of(yaml);
    });
  }

  Status Nodes(ServerContext* context, const v1::NodesRequest* request,
               v1::NodesResponse* response) override {
    return answer("Nodes", context, request, [&](const Caller&) {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      const auto nodes = services_.registry->nodes();
      if (nodes) to_message(*nodes, system_clock().now(), *response);
      return status_of(nodes);
    });
  }

  Status Topics(ServerContext* context, const v1::TopicsRequest* request,
                v1::TopicsResponse* response) override {
    return answer("Topics", context, request, [&](const Caller&) {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      const auto topics = services_.registry->topics();
      if (topics) to_message(*topics, *response);
      return status_of(topics);
    });
  }

  Status Evict(ServerContext* context, const v1::EvictRequest* request,
               v1::EvictResponse* response) override {
    return answer("Evict", context, request, [&](const Caller& caller) {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      auto groups = change(caller, "evict", request->node(),
                           [&] { return services_.registry->evict(request->node()); });
      if (groups) {
        for (std::string& group : *groups) response->add_groups(std::move(group));
      }
      return status_of(groups);
    });
  }

  Status Lag(ServerContext* context, const v1::LagRequest* request,
             v1::LagResponse* response) override {
    return answer("Lag", context, request, [&](const Caller&) {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      const auto rows = services_.registry->lag();
      if (rows) to_message(*rows, *response);
      return status_of(rows);
    });
  }

  Status AuditLog(ServerContext* context, const v1::AuditLogRequest* request,
                  v1::AuditLogResponse* response) override {
    return answer("AuditLog", context, request, [&](const Caller&) {
      if (services_.trail == nullptr) return unsupported("this process opens no log");
      const auto rows_max = rows(request->rows_max(), kDeadRowsDefault, kDeadRowsMax);
      if (!rows_max) return too_many(kDeadRowsMax);
      const auto found = services_.trail->list(from_unix_ms(request->since_unix_ms()), *rows_max);
      if (found) to_message(*found, *response);
      return status_of(found);
    });
  }

  Status GetLogLevel(ServerContext* context, const v1::GetLogLevelRequest* request,
                     v1::LogLevelResponse* response) override {
    return answer("GetLogLevel", context, request, [&](const Caller&) {
      response->set_level(services_.process->log_level());
      return Status::OK;
    });
  }

  Status SetLogLevel(ServerContext* context, const v1::SetLogLevelRequest* request,
                     v1::LogLevelResponse* response) override {
    return answer("SetLogLevel", context, request, [&](const Caller& caller) {
      note(caller, "log-level", request->level());
      const auto set = services_.process->set_log_level(request->level());
      response->set_level(services_.process->log_level());
      return status_of(set);
    });
  }

  Status Events(ServerContext* context, const v1::EventsRequest* request,
                grpc::ServerWriter<v1::EventsResponse>* writer) override {
    return stream("Events", context, request, [&] {
      const auto query = from_message(*request);
      if (!query) return status_of(query);
      const auto visit = [&](const accounting::EventAt& at) {
        v1::EventsResponse response;
        response.set_partition(at.partition);
        response.set_offset(at.offset);
        const auto record = record::encode(at.event);
        if (!record || !response.mutable_event()->ParseFromString(record->to_string())) return true;
        return writer->Write(response);
      };
      const auto read =
          services_.records->events(*query, visit, [&] { return gate_.gone(*context); });
      return gate_.gone(*context) ? Status::CANCELLED : status_of(read);
    });
  }

  Status Audit(ServerContext* context, const v1::AuditRequest* request,
               grpc::ServerWriter<v1::AuditResponse>* writer) override {
    return stream("Audit", context, request, [&] {
      const auto exceptions = rows(request->exceptions_max(), kExceptionsDefault, kExceptionsMax);
      if (!exceptions) return too_many(kExceptionsMax);
      audit::AuditOptions options;
      options.limits.exceptions_max = *exceptions;
      options.progress = [&](std::string_view stage, std::uint64_t records) {
        v1::AuditResponse response;
        response.mutable_progress()->set_stage(std::string(stage));
        response.mutable_progress()->set_records(records);
        return !gate_.gone(*context) && writer->Write(response);
      };
      const auto report = services_.records->audit(options);
      if (!report) return gate_.gone(*context) ? Status::CANCELLED : status_of(report);
      v1::AuditResponse response;
      to_message(*report, *response.mutable_report());
      writer->Write(response);
      return Status::OK;
    });
  }

 private:
  static Status unsupported(const char* why) { return {StatusCode::UNIMPLEMENTED, why}; }

  static control::ChangeRequest change_request(const Caller& caller,
                                               const v1::ControlRequest& request) {
    return {.file = request.file(),
            .text = request.text(),
            .prune = request.prune(),
            .actor = caller.to_text()};
  }

  static AuditEntry entry_of(const Caller& caller, std::string action, std::string subject) {
    return {.actor = caller.name,
            .client = caller.client,
            .action = std::move(action),
            .subject = std::move(subject),
            .reason = caller.reason};
  }

  // Written down before it is done: what cannot be written down is not done.
  template <class Do>
  auto change(const Caller& caller, std::string action, std::string subject, Do&& call)
      -> decltype(call()) {
    const AuditEntry entry = entry_of(caller, std::move(action), std::move(subject));
    if (services_.trail != nullptr) TRY_VOID(services_.trail->write(entry));
    auto result = call();
    if (!result) note_failure(entry, result.error());
    return result;
  }
  void note_failure(AuditEntry entry, const Error& error) {
    entry.failure = error.to_string();
    if (services_.trail == nullptr) return;
    if (auto written = services_.trail->write(std::move(entry)); !written)
      kLog.warning("an administrative change failed", {{"error", error}});
  }
  // What has to work without the log too.
  void note(const Caller& caller, std::string action, std::string subject) {
    if (services_.trail == nullptr) return;
    const AuditEntry entry = entry_of(caller, std::move(action), std::move(subject));
    if (auto written = services_.trail->write(entry); !written)
      kLog.warning("not written down", {{"action", entry.action}, {"error", written.error()}});
  }

  // Every call goes through here: `call` is told who makes it.
  template <class Request, class Do>
  Status answer(std::string_view rpc, ServerContext* context, const Request* request, Do&& call) {
    const std::string* reason = nullptr;
    if constexpr (requires { request->reason(); }) reason = &request->reason();
    Caller caller;
    if (Status entered = gate_.enter(rule_of(rpc), *context, reason, caller); !entered.ok())
      return entered;
    return call(caller);
  }

  template <class Request, class Do>
  Status stream(std::string_view rpc, ServerContext* context, const Request* request, Do&& call) {
    return answer(rpc, context, request, [&](const Caller&) -> Status {
      if (services_.records == nullptr) return unsupported("this process opens no log");
      const Gate::StreamPass pass(gate_);
      if (!pass) return {StatusCode::RESOURCE_EXHAUSTED, "too many streams at once"};
      return call();
    });
  }

  Gate& gate_;
  const Services services_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_service(Gate& gate, const Services& services) {
  return std::make_unique<AdminService>(gate, services);
}

}  // namespace godwit::admin
