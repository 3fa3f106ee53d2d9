#include "common/admin/gate.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <iterator>

#include "common/admin/convert.h"
#include "common/text/escape.h"

namespace godwit::admin {
namespace {

using grpc::Status;
using grpc::StatusCode;

constexpr std::size_t kClientBytesMax = 100;

// Takes as long for a wrong token as for a right one of the same length.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
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

Status Gate::enter(std::string_view rpc, const grpc::ServerContext& context,
                   const std::string* reason, Caller& caller) const {
  const Rule& rule = rule_of(rpc);
  if (Status identified = identify(context, caller); !identified.ok()) return identified;
  if (caller.role < rule.role) {
    return {StatusCode::PERMISSION_DENIED,
            fmt::format("{} needs the role {}, and {} has {}", rpc, role_name(rule.role),
                        caller.name, role_name(caller.role))};
  }
  return rule.changes ? take_reason(rpc, reason, caller) : Status::OK;
}

// RFC 6750 s2.1, as metadata.
Status Gate::identify(const grpc::ServerContext& context, Caller& caller) const {
  caller.client = client_of(context);
  caller.role = Role::kAdmin;
  caller.name = "loopback";
  if (config_.token.empty()) return Status::OK;
  caller.name = "token admin.token";
  constexpr std::string_view kScheme = "Bearer ";
  const auto [begin, end] = context.client_metadata().equal_range("authorization");
  const bool one = begin != end && std::next(begin) == end;
  const std::string_view value =
      one ? std::string_view(begin->second.data(), begin->second.size()) : std::string_view{};
  if (value.starts_with(kScheme) &&
      equal_in_constant_time(value.substr(kScheme.size()), config_.token))
    return Status::OK;
  return {StatusCode::UNAUTHENTICATED, "needs the token of admin.token"};
}

Gate::StreamPass::StreamPass(Gate& gate) : gate_(gate) {
  entered_ = gate_.streams_.fetch_add(1) < gate_.config_.streams_max;
}

bool Gate::gone(const grpc::ServerContext& context) const {
  return stopping_ || context.IsCancelled();
}

}  // namespace godwit::admin
