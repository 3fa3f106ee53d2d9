#include "common/admin/server.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "common/admin/audit_trail.h"
#include "common/admin/convert.h"
#include "common/admin/dead_desk.h"
#include "common/admin/errc.h"
#include "common/admin/held_desk.h"
#include "common/admin/registry.h"
#include "common/config/node.h"
#include "common/control/authority.h"
#include "common/control/errc.h"
#include "common/net/address.h"
#include "common/observe/log.h"
#include "common/record/records.h"
#include "common/text/escape.h"
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
constexpr std::chrono::milliseconds kStopBound{500};  // then streams are cancelled

constexpr observe::Logger kLog{"admin"};

// gRPC's own lines go where ours go. They are few and about the library's insides.
void log_line_of_grpc(gpr_log_func_args* line) {
  const auto level =
      line->severity == GPR_LOG_SEVERITY_ERROR ? observe::Level::kWarning : observe::Level::kDebug;
  kLog.log(level, "grpc", {{"text", line->message}});
}

void take_lines_of_grpc() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function(log_line_of_grpc); });
}

// Takes as long for a wrong token as for a right one of the same length.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

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

// One of the streams that may be under way at once.
class StreamPass {
 public:
  StreamPass(std::atomic<std::uint32_t>& count, std::uint32_t most) : count_(count) {
    entered_ = count_.fetch_add(1) < most;
  }
  ~StreamPass() { --count_; }
  StreamPass(const StreamPass&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  std::atomic<std::uint32_t>& count_;
  bool entered_ = false;
};

class AdminService final : public v1::Admin::Service {
 public:
  AdminService(const ServerConfig& config, const Services& services)
      : config_(config), services_(services) {}

  void stop() { stopping_ = true; }

  Status NodeInfo(ServerContext* context, const v1::NodeInfoRequest*,
                  v1::NodeInfoResponse* response) override {
    return answer(context, [&] {
      to_message(services_.process->info(), *response);
      return Status::OK;
    });
  }

  Status Drain(ServerContext* context, const v1::DrainRequest* request,
               v1::DrainResponse*) override {
    return answer(context, [&] {
      note(context, "drain", request->leave() ? "leave" : "");
      services_.process->drain(request->leave());
      return Status::OK;
    });
  }

  Status Reload(ServerContext* context, const v1::ReloadRequest*,
                v1::ReloadResponse* response) override {
    return answer(context, [&]() -> Status {
      note(context, "reload", "");
      auto notes = services_.process->reload();
      if (!notes) return {StatusCode::FAILED_PRECONDITION, notes.error().to_string()};
      for (std::string& note : *notes) response->add_notes(std::move(note));
      return Status::OK;
    });
  }

  Status QueueSummary(ServerContext* context, const v1::QueueSummaryRequest* request,
                      v1::QueueSummaryResponse* response) override {
    return answer(context, [&] {
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
    return answer(context, [&] {
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
    return answer(context, [&] {
      if (services_.dead == nullptr) return unsupported("this process opens no log");
      const auto details = services_.dead->show(request->key());
      if (details) to_message(*details, *response);
      return status_of(details);
    });
  }

  Status DeadRetry(ServerContext* context, const v1::DeadRetryRequest* request,
                   v1::DeadRetryResponse* response) override {
    return answer(context, [&] {
      if (services_.dead == nullptr) return unsupported("this process opens no log");
      const auto retried = change(context, "dead.retry", request->key(),
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
    return answer(context, [&] {
      if (services_.dead == nullptr) return unsupported("this process opens no log");
      const auto dropped = change(context, "dead.drop", request->key(), [&] {
        return services_.dead->drop(request->key(), actor(context), request->force());
      });
      if (dropped) response->set_cancelled(dropped->cancelled);
      return status_of(dropped);
    });
  }

  Status HeldList(ServerContext* context, const v1::HeldListRequest* request,
                  v1::HeldListResponse* response) override {
    return answer(context, [&] {
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
    return answer(context, [&]() -> Status {
      if (services_.held == nullptr) return unsupported("this process opens no log");
      if (request->what() < v1::HeldDecideRequest::RETRY ||
          request->what() > v1::HeldDecideRequest::FAILED) {
        return {StatusCode::INVALID_ARGUMENT, "no decision"};
      }
      const auto decision = static_cast<accounting::HeldDecision>(request->what());
      const auto decided = change(
          context, fmt::format("held.{}", accounting::decision_name(decision)), request->delivery(),
          [&] { return services_.held->decide(request->delivery(), decision, actor(context)); });
      if (decided) response->set_recipients(*decided);
      return status_of(decided);
    });
  }

  Status ControlDiff(ServerContext* context, const v1::ControlRequest* request,
                     v1::ControlResponse* response) override {
    return answer(context, [&] {
      if (services_.control == nullptr) return unsupported("this process has no control data");
      const auto plan = services_.control->diff(change_request(context, *request));
      if (plan) to_message(control::Applied{.plan = *plan}, *response);
      response->set_version(services_.control->current()->version);
      return status_of(plan);
    });
  }

  Status ControlApply(ServerContext* context, const v1::ControlRequest* request,
                      v1::ControlResponse* response) override {
    return answer(context, [&] {
      if (services_.control == nullptr) return unsupported("this process has no control data");
      AuditEntry entry{.actor = actor(context), .action = "control.apply"};
      const auto announce = [&](const control::ChangePlan& plan,
                                std::string_view batch) -> Result<void> {
        entry.subject = batch;
        for (const control::ObjectChange& one : plan.changes)
          entry.changes.push_back(one.to_text());
        return services_.trail == nullptr ? Result<void>{} : services_.trail->write(entry);
      };
      const auto applied = services_.control->apply(change_request(context, *request), announce);
      if (applied) to_message(*applied, *response);
      if (!applied && !entry.subject.empty()) note_failure(entry, applied.error());
      return status_of(applied);
    });
  }

  Status ControlGet(ServerContext* context, const v1::ControlGetRequest*,
                    v1::ControlGetResponse* response) override {
    return answer(context, [&] {
      if (services_.control == nullptr) return unsupported("this process has no control data");
      auto yaml = services_.control->to_yaml();
      response->set_version(services_.control->current()->version);
      response->set_writable(services_.control->writable());
      if (yaml) response->set_yaml(*yaml);
      return status_of(yaml);
    });
  }

  Status Nodes(ServerContext* context, const v1::NodesRequest*,
               v1::NodesResponse* response) override {
    return answer(context, [&] {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      const auto nodes = services_.registry->nodes();
      if (nodes) to_message(*nodes, system_clock().now(), *response);
      return status_of(nodes);
    });
  }

  Status Topics(ServerContext* context, const v1::TopicsRequest*,
                v1::TopicsResponse* response) override {
    return answer(context, [&] {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      const auto topics = services_.registry->topics();
      if (topics) to_message(*topics, *response);
      return status_of(topics);
    });
  }

  Status Evict(ServerContext* context, const v1::EvictRequest* request,
               v1::EvictResponse* response) override {
    return answer(context, [&] {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      auto groups = change(context, "evict", request->node(),
                           [&] { return services_.registry->evict(request->node()); });
      if (groups) {
        for (std::string& group : *groups) response->add_groups(std::move(group));
      }
      return status_of(groups);
    });
  }

  Status Lag(ServerContext* context, const v1::LagRequest*, v1::LagResponse* response) override {
    return answer(context, [&] {
      if (services_.registry == nullptr) return unsupported("this process opens no log");
      const auto rows = services_.registry->lag();
      if (rows) to_message(*rows, *response);
      return status_of(rows);
    });
  }

  Status AuditLog(ServerContext* context, const v1::AuditLogRequest* request,
                  v1::AuditLogResponse* response) override {
    return answer(context, [&] {
      if (services_.trail == nullptr) return unsupported("this process opens no log");
      const auto rows_max = rows(request->rows_max(), kDeadRowsDefault, kDeadRowsMax);
      if (!rows_max) return too_many(kDeadRowsMax);
      const auto found = services_.trail->list(from_unix_ms(request->since_unix_ms()), *rows_max);
      if (found) to_message(*found, *response);
      return status_of(found);
    });
  }

  Status GetLogLevel(ServerContext* context, const v1::GetLogLevelRequest*,
                     v1::LogLevelResponse* response) override {
    return answer(context, [&] {
      response->set_level(services_.process->log_level());
      return Status::OK;
    });
  }

  Status SetLogLevel(ServerContext* context, const v1::SetLogLevelRequest* request,
                     v1::LogLevelResponse* response) override {
    return answer(context, [&] {
      note(context, "log-level", request->level());
      const auto set = services_.process->set_log_level(request->level());
      response->set_level(services_.process->log_level());
      return status_of(set);
    });
  }

  Status Events(ServerContext* context, const v1::EventsRequest* request,
                grpc::ServerWriter<v1::EventsResponse>* writer) override {
    return stream(context, [&] {
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
      const auto read = services_.records->events(*query, visit, [&] { return gone(context); });
      return gone(context) ? Status::CANCELLED : status_of(read);
    });
  }

  Status Audit(ServerContext* context, const v1::AuditRequest* request,
               grpc::ServerWriter<v1::AuditResponse>* writer) override {
    return stream(context, [&] {
      const auto exceptions = rows(request->exceptions_max(), kExceptionsDefault, kExceptionsMax);
      if (!exceptions) return too_many(kExceptionsMax);
      audit::AuditOptions options;
      options.limits.exceptions_max = *exceptions;
      options.progress = [&](std::string_view stage, std::uint64_t records) {
        v1::AuditResponse response;
        response.mutable_progress()->set_stage(std::string(stage));
        response.mutable_progress()->set_records(records);
        return !gone(context) && writer->Write(response);
      };
      const auto report = services_.records->audit(options);
      if (!report) return gone(context) ? Status::CANCELLED : status_of(report);
      v1::AuditResponse response;
      to_message(*report, *response.mutable_report());
      writer->Write(response);
      return Status::OK;
    });
  }

 private:
  static Status unsupported(const char* why) { return {StatusCode::UNIMPLEMENTED, why}; }

  [[nodiscard]] bool gone(ServerContext* context) const {
    return stopping_ || context->IsCancelled();
  }

  // Who says to be asking, and from where.
  [[nodiscard]] static std::string actor(const ServerContext* context) {
    const auto [begin, end] = context->client_metadata().equal_range(kActorMetadata);
    std::string name =
        begin == end ? "somebody" : std::string(begin->second.data(), begin->second.size());
    name = text::printable(name, 100);
    return fmt::format("{} {}", name, context->peer());
  }

  static control::ChangeRequest change_request(const ServerContext* context,
                                               const v1::ControlRequest& request) {
    return {.file = request.file(),
            .text = request.text(),
            .prune = request.prune(),
            .actor = actor(context)};
  }

  // Written down before it is done: what cannot be written down is not done.
  template <class Do>
  auto change(ServerContext* context, std::string action, std::string subject, Do&& call)
      -> decltype(call()) {
    AuditEntry entry{
        .actor = actor(context), .action = std::move(action), .subject = std::move(subject)};
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
  void note(ServerContext* context, std::string action, std::string subject) {
    if (services_.trail == nullptr) return;
    AuditEntry entry{
        .actor = actor(context), .action = std::move(action), .subject = std::move(subject)};
    if (auto written = services_.trail->write(entry); !written)
      kLog.warning("not written down", {{"action", entry.action}, {"error", written.error()}});
  }

  // RFC 6750 s2.1, as metadata.
  [[nodiscard]] bool may(const ServerContext& context) const {
    if (config_.token.empty()) return true;
    const auto [begin, end] = context.client_metadata().equal_range("authorization");
    if (begin == end || std::next(begin) != end) return false;
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view value(begin->second.data(), begin->second.size());
    return value.starts_with(kScheme) &&
           equal_in_constant_time(value.substr(kScheme.size()), config_.token);
  }

  // Every call goes through here.
  template <class Do>
  Status answer(ServerContext* context, Do&& call) {
    if (!may(*context)) return {StatusCode::UNAUTHENTICATED, "needs the token of admin.token"};
    return call();
  }

  template <class Do>
  Status stream(ServerContext* context, Do&& call) {
    return answer(context, [&]() -> Status {
      if (services_.records == nullptr) return unsupported("this process opens no log");
      const StreamPass pass(streams_, config_.streams_max);
      if (!pass) return {StatusCode::RESOURCE_EXHAUSTED, "too many streams at once"};
      return call();
    });
  }

  const ServerConfig config_;
  const Services services_;
  std::atomic<std::uint32_t> streams_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace

struct Server::State {
  State(const ServerConfig& config, const Services& services) : service(config, services) {}

  AdminService service;
  std::unique_ptr<grpc::Server> server;
  std::string address;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::start(const ServerConfig& config,
                                              const Services& services) {
  auto listen = net::Address::from_text(config.listen);
  if (!listen) {
    return fail(Errc::kAddress,
                fmt::format("\"{}\" is no address and port, as in 127.0.0.1:8026", config.listen));
  }
  if (!listen->ip.is_loopback() && config.token.empty()) {
    return fail(Errc::kTokenNeeded, config.listen);
  }

  take_lines_of_grpc();
  // Keep calls to one pair of polling threads; what blocks longer than a moment is a stream, and those are counted.
  grpc::EnableDefaultHealthCheckService(true);
  auto state = std::make_unique<State>(config, services);
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("admin");
  quota.SetMaxThreads(static_cast<int>(config.threads_max));
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  // Two processes on one port would answer in turn.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  int port = 0;
  builder.AddListeningPort(config.listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&state->service);
  state->server = builder.BuildAndStart();
  if (!state->server || port == 0) {
    return fail(Errc::kAddress,
                fmt::format("{}: it is in use, or not of this machine", config.listen));
  }
  listen->port = static_cast<std::uint16_t>(port);
  state->address = listen->to_text();
  if (auto* health = state->server->GetHealthCheckService()) health->SetServingStatus("", false);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

const std::string& Server::address() const {
  return state_->address;
}

void Server::set_serving(std::string_view role, bool serving) {
  if (auto* health = state_->server->GetHealthCheckService()) {
    health->SetServingStatus(std::string(role), serving);
  }
}

void Server::stop() {
  state_->service.stop();
  state_->server->Shutdown(std::chrono::system_clock::now() + kStopBound);
  state_->server->Wait();
}

}  // namespace godwit::admin
