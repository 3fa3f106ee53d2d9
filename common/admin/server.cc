#include "common/admin/server.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <mutex>
#include <utility>
#include <vector>

#include "common/admin/convert.h"
#include "common/admin/errc.h"
#include "common/admin/gate.h"
#include "common/admin/line_limit.h"
#include "common/admin/reflection.h"
#include "common/admin/service.h"
#include "common/base/clock.h"
#include "common/net/address.h"
#include "common/observe/log.h"

namespace godwit::admin {
namespace {

constexpr std::chrono::milliseconds kStopBound{500};  // then streams are cancelled

constexpr observe::Logger kLog{"admin"};

// gRPC's own lines go where ours go. Those about errors are mostly handshakes that failed.
void log_line_of_grpc(gpr_log_func_args* line) {
  static LineLimit lines;
  if (line->severity != GPR_LOG_SEVERITY_ERROR) {
    kLog.debug("grpc", {{"text", line->message}});
  } else if (const std::uint64_t count = lines.count(system_clock().now()); count > 0) {
    kLog.warning("grpc", {{"text", line->message}, {"lines", count}});
  }
}

void take_lines_of_grpc() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function(log_line_of_grpc); });
}

}  // namespace

struct Server::State {
  State(const ServerConfig& config, const Services& services)
      : gate(config.grants, config.streams_max),
        service(make_service(gate, services)),
        reflection(make_reflection(gate)) {}

  Gate gate;
  const std::unique_ptr<grpc::Service> service;
  const std::vector<std::unique_ptr<grpc::Service>> reflection;
  std::unique_ptr<grpc::Server> server;
  std::string address;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  stop();
}

Result<void> Server::check(const ServerConfig& config) {
  const auto listen = net::Address::from_text(config.listen);
  if (!listen) {
    return fail(Errc::kAddress,
                fmt::format("\"{}\" is no address and port, as in 127.0.0.1:8026", config.listen));
  }
  if (!listen->ip.is_loopback() && config.grants.empty())
    return fail(Errc::kNobodyMay, config.listen);
  return check_files(config.tls);
}

Result<std::unique_ptr<Server>> Server::start(const ServerConfig& config,
                                              const Services& services) {
  TRY_VOID(check(config));
  auto listen = net::Address::from_text(config.listen);
  TRY(const auto transport, server_credentials(config.tls));
  if (!listen->ip.is_loopback() && !config.tls.enabled())
    kLog.warning("tokens travel in the clear: admin.tls is not set", {{"listen", config.listen}});

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
  builder.AddListeningPort(config.listen, transport, &port);
  builder.RegisterService(state->service.get());
  for (const auto& service : state->reflection) builder.RegisterService(service.get());
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
  state_->gate.stop();
  state_->server->Shutdown(std::chrono::system_clock::now() + kStopBound);
  state_->server->Wait();
}

}  // namespace godwit::admin
