#include "ingress/services.h"

#include <algorithm>

namespace godwit::ingress {
namespace {

smtp::ServerKind protocol_kind(ListenerKind kind) {
  switch (kind) {
    case ListenerKind::kRelay: return smtp::ServerKind::kRelay;
    case ListenerKind::kSubmission: return smtp::ServerKind::kSubmission;
    case ListenerKind::kInbound: break;
  }
  return smtp::ServerKind::kInbound;
}

smtp::ServerLimits protocol_limits(const Config& config) {
  const SmtpLimitsConfig& limits = config.limits;
  smtp::ServerLimits result;
  result.paths.local_part_bytes_max = limits.local_part_bytes_max;
  result.paths.domain_bytes_max = limits.domain_bytes_max;
  result.paths.path_bytes_max = limits.path_bytes_max;
  result.command_line_bytes_max = limits.command_line_bytes_max;
  result.path_line_bytes_max = limits.path_line_bytes_max;
  result.auth_line_bytes_max = limits.auth_line_bytes_max;
  result.content_line_bytes_max = limits.text_line_bytes_max;
  result.content_bytes_max = config.max_message_bytes;
  result.content_drained_bytes_max = config.max_message_bytes;
  result.recipients_max = limits.recipients_max;
  result.messages_max = limits.messages_max;
  result.errors_max = limits.errors_max;
  result.unknown_commands_max = limits.unknown_commands_max;
  result.idle_commands_max = limits.idle_commands_max;
  result.auth_failures_max = limits.auth_failures_max;
  return result;
}

bool any_contains(const std::vector<net::Network>& networks, const net::IpAddress& address) {
  return std::ranges::any_of(networks,
                             [&](const net::Network& one) { return one.contains(address); });
}

}  // namespace

Port::Port(const Services& services, const SmtpListenerConfig& listener)
    : config(listener), trusted(listener.trusted()), proxies(listener.proxies()) {
  protocol.kind = protocol_kind(listener.kind);
  protocol.hostname = services.hostname;
  protocol.starttls = services.tls != nullptr && listener.tls == ListenerTls::kStartTls;
  protocol.tls_required = listener.tls_required;
  protocol.auth_in_clear = listener.auth_without_tls;
  protocol.limits = protocol_limits(services.config);
  protocol_loopback = protocol;
  protocol_loopback.auth_in_clear = true;
}

bool Port::trusts(const net::IpAddress& address) const {
  return any_contains(trusted, address);
}

bool Port::is_proxy(const net::IpAddress& address) const {
  return any_contains(proxies, address);
}

std::string Port::name() const {
  std::string name = "smtp." + std::string(kind_name(config.kind));
  if (config.tls == ListenerTls::kImplicit) name += "s";
  return name;
}

}  // namespace godwit::ingress
