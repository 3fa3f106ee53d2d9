#include "common/admin/client.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "common/admin/convert.h"
#include "common/admin/convert_commands.h"
#include "common/record/records.h"
#include "common/text/escape.h"
#include "godwit/admin/v1/admin.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace godwit::admin {
namespace {

using grpc::Status;
using grpc::StatusCode;

Errc code_of(const Status& status) {
  switch (status.error_code()) {
    case StatusCode::UNAVAILABLE: return Errc::kUnreachable;
    case StatusCode::UNAUTHENTICATED: return Errc::kUnauthenticated;
    case StatusCode::PERMISSION_DENIED: return Errc::kDenied;
    case StatusCode::UNIMPLEMENTED: return Errc::kUnsupported;
    case StatusCode::NOT_FOUND: return Errc::kNotFound;
    case StatusCode::INVALID_ARGUMENT: return Errc::kInvalid;
    case StatusCode::FAILED_PRECONDITION: return Errc::kRefused;
    case StatusCode::RESOURCE_EXHAUSTED: return Errc::kBusy;
    case StatusCode::DEADLINE_EXCEEDED: return Errc::kDeadline;
    case StatusCode::CANCELLED: return Errc::kCancelled;
    default: return Errc::kFailed;
  }
}

// What the person at the terminal can do about it.
std::string_view advice(Errc code) {
  switch (code) {
    case Errc::kUnreachable:
      return "is `godwit run` up, is this its admin.listen, and do both speak TLS or "
             "neither?";
    case Errc::kUnauthenticated: return "a token of that process, or a client certificate";
    case Errc::kBusy: return "end another `events` or `audit` first";
    case Errc::kDeadline: return "the process is there, but did not answer";
    case Errc::kCancelled: return "the stream was ended: the process is stopping, or we are";
    default: return {};
  }
}

grpc::ChannelArguments channel_arguments(const ClientTls& tls) {
  grpc::ChannelArguments arguments;
  if (tls.enabled() && !tls.server_name.empty())
    arguments.SetSslTargetNameOverride(tls.server_name);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  return arguments;
}

// Printable ASCII, as metadata has to be.
std::string user_and_machine() {
  const passwd* const user = getpwuid(geteuid());
  std::array<char, 256> machine{};
  if (gethostname(machine.data(), machine.size() - 1) != 0) machine = {};
  std::string name =
      fmt::format("{}@{}", user != nullptr ? user->pw_name : "uid " + std::to_string(geteuid()),
                  machine.data());
  std::erase_if(name, [](char c) { return c < ' ' || c > '~'; });
  return name;
}

}  // namespace

struct Client::State {
  explicit State(ClientConfig client_config)
      : config(std::move(client_config)), transport(channel_credentials(config.tls)) {
    if (!transport) return;
    channel = grpc::CreateCustomChannel(config.address, *transport, channel_arguments(config.tls));
    admin = v1::Admin::NewStub(channel);
    health = grpc::health::v1::Health::NewStub(channel);
  }

  ClientConfig config;
  // On an error there is nothing below.
  const Result<std::shared_ptr<grpc::ChannelCredentials>> transport;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Admin::Stub> admin;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
  std::mutex mutex;
  std::set<grpc::ClientContext*> streams;

  void prepare(grpc::ClientContext& context) const {
    if (!config.token.empty()) context.AddMetadata("authorization", "Bearer " + config.token);
    context.AddMetadata(kActorMetadata, config.actor.empty() ? user_and_machine() : config.actor);
  }

  [[nodiscard]] Error error(const Status& status) const {
    const Errc code = code_of(status);
    std::string context = config.address;
    // Of a connection that failed the library's words say less than the advice, except about TLS.
    if (code == Errc::kUnreachable && config.tls.enabled())
      context += fmt::format(": {}", text::printable(status.error_message(), 300));
    if (code != Errc::kUnreachable && !status.error_message().empty())
      context += fmt::format(" says \"{}\"", status.error_message());
    if (const auto what = advice(code); !what.empty()) context += fmt::format(" ({})", what);
    return {make_error_code(code), std::move(context)};
  }

  template <class Response, class Request, class Method>
  Result<Response> call(Method method, const Request& request) {
    return call<Response>(method, request, config.deadline);
  }
  template <class Response, class Request, class Method>
  Result<Response> call(Method method, const Request& request, std::chrono::milliseconds deadline) {
    TRY_VOID(transport);
    grpc::ClientContext context;
    prepare(context);
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    Response response;
    const Status status = (admin.get()->*method)(&context, request, &response);
    if (!status.ok()) return fail(error(status));
    return response;
  }

  // Reads a stream until it ends or `take` returns false.
  template <class Response, class Open, class Take>
  Result<void> read(Open open, Take take) {
    TRY_VOID(transport);
    grpc::ClientContext context;
    prepare(context);
    const Registered registered(*this, context);
    auto reader = open(context);
    Response response;
    bool enough = false;
    while (!enough && reader->Read(&response)) enough = !take(response);
    if (enough) context.TryCancel();
    const Status status = reader->Finish();
    if (!enough && !status.ok()) return fail(error(status));
    return {};
  }

  // A stream that cancel() can reach.
  class Registered {
   public:
    Registered(State& state, grpc::ClientContext& context) : state_(state), context_(context) {
      const std::lock_guard lock(state_.mutex);
      state_.streams.insert(&context_);
    }
    ~Registered() {
      const std::lock_guard lock(state_.mutex);
      state_.streams.erase(&context_);
    }
    Registered(const Registered&) = delete;

   private:
    State& state_;
    grpc::ClientContext& context_;
  };
};

Client::Client(ClientConfig config) : state_(std::make_unique<State>(std::move(config))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<NodeInfo> Client::info() {
  TRY(const auto response,
      state_->call<v1::NodeInfoResponse>(&v1::Admin::Stub::NodeInfo, v1::NodeInfoRequest{}));
  return from_message(response);
}

Result<bool> Client::serving(std::string_view role) {
  TRY_VOID(state_->transport);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + state_->config.deadline);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(std::string(role));
  grpc::health::v1::HealthCheckResponse response;
  const Status status = state_->health->Check(&context, request, &response);
  if (!status.ok()) return fail(state_->error(status));
  return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

Result<void> Client::drain(bool leave, const std::string& reason) {
  v1::DrainRequest request;
  request.set_leave(leave);
  request.set_reason(reason);
  TRY_VOID(state_->call<v1::DrainResponse>(&v1::Admin::Stub::Drain, request));
  return {};
}

Result<std::vector<std::string>> Client::reload(const std::string& reason) {
  v1::ReloadRequest request;
  request.set_reason(reason);
  TRY(const auto response, state_->call<v1::ReloadResponse>(&v1::Admin::Stub::Reload, request));
  return std::vector<std::string>(response.notes().begin(), response.notes().end());
}

Result<QueueSummary> Client::queue(const QueueQuery& query) {
  v1::QueueSummaryRequest request;
  to_message(query, request);
  TRY(const auto response,
      state_->call<v1::QueueSummaryResponse>(&v1::Admin::Stub::QueueSummary, request));
  return from_message(response);
}

Result<accounting::DeadList> Client::dead(std::uint32_t rows_max) {
  v1::DeadListRequest request;
  request.set_rows_max(rows_max);
  TRY(const auto response, state_->call<v1::DeadListResponse>(&v1::Admin::Stub::DeadList, request));
  return from_message(response);
}

Result<DeadDetails> Client::dead_show(const std::string& key) {
  v1::DeadShowRequest request;
  request.set_key(key);
  TRY(const auto response, state_->call<v1::DeadShowResponse>(&v1::Admin::Stub::DeadShow, request));
  return from_message(response);
}

Result<DeadRetried> Client::dead_retry(const std::string& key, const std::string& reason) {
  v1::DeadRetryRequest request;
  request.set_key(key);
  request.set_reason(reason);
  TRY(const auto response,
      state_->call<v1::DeadRetryResponse>(&v1::Admin::Stub::DeadRetry, request, kControlDeadline));
  for (int number = 1; number <= log::kTopicMax; ++number) {
    const auto topic = static_cast<log::Topic>(number);
    if (log::topic_name(topic) == response.topic())
      return DeadRetried{{{topic, response.partition()}, response.offset()}};
  }
  return fail(Errc::kFailed, "an unknown topic: " + response.topic());
}

Result<DeadDropped> Client::dead_drop(const std::string& key, bool force,
                                      const std::string& reason) {
  v1::DeadDropRequest request;
  request.set_key(key);
  request.set_force(force);
  request.set_reason(reason);
  TRY(const auto response,
      state_->call<v1::DeadDropResponse>(&v1::Admin::Stub::DeadDrop, request, kControlDeadline));
  return DeadDropped{response.cancelled()};
}

Result<accounting::HeldList> Client::held(std::uint32_t rows_max) {
  v1::HeldListRequest request;
  request.set_rows_max(rows_max);
  TRY(const auto response,
      state_->call<v1::HeldListResponse>(&v1::Admin::Stub::HeldList, request, kControlDeadline));
  return from_message(response);
}

Result<std::uint32_t> Client::held_decide(const std::string& delivery,
                                          accounting::HeldDecision decision,
                                          const std::string& reason) {
  v1::HeldDecideRequest request;
  request.set_delivery(delivery);
  request.set_what(static_cast<v1::HeldDecideRequest::What>(decision));
  request.set_reason(reason);
  TRY(const auto response, state_->call<v1::HeldDecideResponse>(&v1::Admin::Stub::HeldDecide,
                                                                request, kControlDeadline));
  return response.recipients();
}

Result<DeliveryList> Client::deliveries(const commands::Filter& filter, std::uint32_t rows_max) {
  v1::DeliveriesRequest request;
  commands::to_record(filter, *request.mutable_filter());
  request.set_rows_max(rows_max);
  request.set_counts_only(rows_max == 0);
  TRY(const auto response, state_->call<v1::DeliveriesResponse>(&v1::Admin::Stub::Deliveries,
                                                                request, kControlDeadline));
  return from_message(response);
}

Result<DeliveryDetails> Client::delivery(const std::string& id) {
  v1::DeliveryShowRequest request;
  request.set_delivery(id);
  TRY(const auto response, state_->call<v1::DeliveryShowResponse>(&v1::Admin::Stub::DeliveryShow,
                                                                  request, kControlDeadline));
  return from_message(response);
}

Result<commands::Command> Client::command_issue(const commands::Order& order, bool dry_run) {
  v1::CommandIssueRequest request;
  to_message(order, dry_run, request);
  TRY(const auto response, state_->call<v1::CommandIssueResponse>(&v1::Admin::Stub::CommandIssue,
                                                                  request, kControlDeadline));
  return commands::from_record(response.command());
}

Result<commands::Command> Client::command_undo(const std::string& id, const std::string& reason) {
  v1::CommandUndoRequest request;
  request.set_id(id);
  request.set_reason(reason);
  TRY(const auto response, state_->call<v1::CommandUndoResponse>(&v1::Admin::Stub::CommandUndo,
                                                                 request, kControlDeadline));
  return commands::from_record(response.command());
}

Result<std::vector<commands::Listed>> Client::command_list() {
  TRY(const auto response, state_->call<v1::CommandListResponse>(&v1::Admin::Stub::CommandList,
                                                                 v1::CommandListRequest{}));
  return from_message(response);
}

namespace {
v1::ControlRequest control_request(const std::string& file, const std::string& text, bool prune) {
  v1::ControlRequest request;
  request.set_file(file);
  request.set_text(text);
  request.set_prune(prune);
  return request;
}
}  // namespace

Result<ControlAnswer> Client::control_diff(const std::string& file, const std::string& text,
                                           bool prune) {
  TRY(const auto response,
      state_->call<v1::ControlResponse>(&v1::Admin::Stub::ControlDiff,
                                        control_request(file, text, prune), kControlDeadline));
  return from_message(response);
}

Result<ControlAnswer> Client::control_apply(const std::string& file, const std::string& text,
                                            bool prune, const std::string& reason) {
  v1::ControlRequest request = control_request(file, text, prune);
  request.set_reason(reason);
  TRY(const auto response,
      state_->call<v1::ControlResponse>(&v1::Admin::Stub::ControlApply, request, kControlDeadline));
  return from_message(response);
}

Result<ControlFileAnswer> Client::control_get() {
  TRY(const auto response,
      state_->call<v1::ControlGetResponse>(&v1::Admin::Stub::ControlGet, v1::ControlGetRequest{},
                                           kControlDeadline));
  return ControlFileAnswer{response.yaml(), response.version(), response.writable()};
}

Result<std::vector<NodeAnswer>> Client::nodes() {
  TRY(const auto response,
      state_->call<v1::NodesResponse>(&v1::Admin::Stub::Nodes, v1::NodesRequest{}));
  return from_message(response);
}

Result<std::vector<std::string>> Client::evict(const std::string& node, const std::string& reason) {
  v1::EvictRequest request;
  request.set_node(node);
  request.set_reason(reason);
  TRY(const auto response,
      state_->call<v1::EvictResponse>(&v1::Admin::Stub::Evict, request, kControlDeadline));
  return std::vector<std::string>(response.groups().begin(), response.groups().end());
}

Result<std::vector<TopicRow>> Client::topics() {
  TRY(const auto response,
      state_->call<v1::TopicsResponse>(&v1::Admin::Stub::Topics, v1::TopicsRequest{}));
  return from_message(response);
}

Result<std::vector<LagRow>> Client::lag() {
  TRY(const auto response,
      state_->call<v1::LagResponse>(&v1::Admin::Stub::Lag, v1::LagRequest{}, kControlDeadline));
  return from_message(response);
}

Result<AuditLog> Client::audit_log(Timestamp since, std::uint32_t rows_max) {
  v1::AuditLogRequest request;
  request.set_since_unix_ms(to_unix_ms(since));
  request.set_rows_max(rows_max);
  TRY(const auto response,
      state_->call<v1::AuditLogResponse>(&v1::Admin::Stub::AuditLog, request, kControlDeadline));
  return from_message(response);
}

Result<std::string> Client::log_level() {
  TRY(const auto response,
      state_->call<v1::LogLevelResponse>(&v1::Admin::Stub::GetLogLevel, v1::GetLogLevelRequest{}));
  return response.level();
}

Result<std::string> Client::set_log_level(std::string_view level, const std::string& reason) {
  v1::SetLogLevelRequest request;
  request.set_level(std::string(level));
  request.set_reason(reason);
  TRY(const auto response,
      state_->call<v1::LogLevelResponse>(&v1::Admin::Stub::SetLogLevel, request));
  return response.level();
}

Result<void> Client::events(const accounting::EventQuery& query,
                            const accounting::VisitEvent& visit) {
  v1::EventsRequest request;
  to_message(query, request);
  return state_->read<v1::EventsResponse>(
      [&](grpc::ClientContext& context) { return state_->admin->Events(&context, request); },
      [&](const v1::EventsResponse& response) {
        const auto event = record::decode_event(Bytes::adopt(response.event().SerializeAsString()));
        if (!event) return true;  // of a newer version than this client
        return visit({response.partition(), response.offset(), *event});
      });
}

Result<audit::Report> Client::audit(std::uint32_t exceptions_max, const Progress& progress) {
  v1::AuditRequest request;
  request.set_exceptions_max(exceptions_max);
  std::optional<audit::Report> report;
  TRY_VOID(state_->read<v1::AuditResponse>(
      [&](grpc::ClientContext& context) { return state_->admin->Audit(&context, request); },
      [&](const v1::AuditResponse& response) {
        if (response.has_report()) report = from_message(response.report());
        if (response.has_progress() && progress) {
          progress(response.progress().stage(), response.progress().records());
        }
        return true;
      }));
  if (!report) return fail(Errc::kFailed, state_->config.address + " sent no report");
  return *std::move(report);
}

void Client::quiet() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

void Client::cancel() {
  const std::lock_guard lock(state_->mutex);
  for (grpc::ClientContext* context : state_->streams) context->TryCancel();
}

}  // namespace godwit::admin
