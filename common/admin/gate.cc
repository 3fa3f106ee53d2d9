#include "common/admin/gate.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "common/admin/convert.h"
#include "common/base/clock.h"
#include "common/observe/log.h"
#include "common/text/escape.h"

namespace godwit::admin {
namespace {

using grpc::Status;
using grpc::StatusCode;

constexpr std::size_t kClientBytesMax = 100;

constexpr observe::Logger kLog{"admin"};

Shown shown_by(const grpc::ServerContext& context) {
  Shown shown;
  const auto [begin, end] = context.client_metadata().equal_range("authorization");
  for (auto at = begin; at != end; ++at)
    shown.authorization.emplace_back(at->second.data(), at->second.size());
  const auto connection = context.auth_context();
  if (connection == nullptr) return shown;
  const auto values = [&](const char* property) {
    return connection->FindPropertyValues(property);
  };
  if (const auto subject = values(GRPC_X509_SUBJECT_PROPERTY_NAME); !subject.empty())
    shown.subject.assign(subject.front().data(), subject.front().size());
  constexpr std::pair<const char*, std::string_view> kKinds[] = {
      {GRPC_PEER_URI_PROPERTY_NAME, "URI"},
      {GRPC_PEER_DNS_PROPERTY_NAME, "DNS"},
      {GRPC_PEER_EMAIL_PROPERTY_NAME, "email"}};
  for (const auto& [property, kind] : kKinds) {
    for (const grpc::string_ref& name : values(property))
      shown.names.push_back(fmt::format("{}:{}", kind, std::string_view(name.data(), name.size())));
  }
  return shown;
}

std::string client_of(const grpc::ServerContext& context) {
  const auto [begin, end] = context.client_metadata().equal_range(kActorMetadata);
  const std::string name =
      begin == end ? "somebody" : std::string(begin->second.data(), begin->second.size());
  return fmt::format("{} {}", text::printable(name, kClientBytesMax), context.peer());
}

Status take_reason(std::string_view rpc, const std::string* reason, Caller& caller) {
  constexpr std::string_view kBlank = " \t\r\n";
  if (reason == nullptr || reason->find_first_not_of(kBlank) == std::string::npos)
    return {StatusCode::INVALID_ARGUMENT, fmt::format("{} needs a reason", rpc)};
  if (reason->size() > kReasonBytesMax) {
    return {StatusCode::INVALID_ARGUMENT,
            fmt::format("the reason is longer than {} octets", kReasonBytesMax)};
  }
  caller.reason = text::printable(*reason, 2 * kReasonBytesMax);
  return Status::OK;
}

}  // namespace

Status Gate::enter(const Rule& rule, const grpc::ServerContext& context, const std::string* reason,
                   Caller& caller) const {
  caller.client = client_of(context);
  const auto identity = credentials_.identify(shown_by(context));
  if (!identity) {
    refused(rule.rpc, caller, identity.error().context);
    return {StatusCode::UNAUTHENTICATED, identity.error().context};
  }
  caller.name = identity->name;
  if (!identity->role || *identity->role < rule.role) {
    const std::string why =
        fmt::format("{} needs the role {}, and {} has {}", rule.rpc, role_name(rule.role),
                    caller.name, identity->role ? role_name(*identity->role) : "none");
    refused(rule.rpc, caller, why);
    return {StatusCode::PERMISSION_DENIED, why};
  }
  caller.role = *identity->role;
  return rule.changes ? take_reason(rule.rpc, reason, caller) : Status::OK;
}

void Gate::refused(std::string_view rpc, const Caller& caller, std::string_view why) const {
  const std::uint64_t calls = lines_.count(system_clock().now());
  if (calls == 0) return;
  kLog.warning("a call was refused",
               {{"rpc", rpc}, {"client", caller.client}, {"why", why}, {"calls", calls}});
}

Gate::StreamPass::StreamPass(Gate& gate) : gate_(gate) {
  entered_ = gate_.streams_.fetch_add(1) < gate_.streams_max_;
}

bool Gate::gone(const grpc::ServerContext& context) const {
  return stopping_ || context.IsCancelled();
}

}  // namespace godwit::admin
