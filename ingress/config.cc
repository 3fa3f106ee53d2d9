#include "ingress/config.h"

#include <utility>

#include "common/base/check.h"

using namespace std::chrono_literals;

namespace godwit::ingress {
namespace {

std::optional<config::Wrong> check_network(const std::vector<std::string>& networks) {
  for (const std::string& text : networks) {
    if (!net::Network::from_text(text)) {
      return config::Wrong{config::quote(text) + " is not a network",
                           "an address or a range without host bits, as 10.0.0.0/8 or ::1"};
    }
  }
  return std::nullopt;
}

std::vector<net::Network> networks_of(const std::vector<std::string>& texts) {
  std::vector<net::Network> networks;
  for (const std::string& text : texts) {
    const auto network = net::Network::from_text(text);
    CHECK(network.has_value(), "networks were checked when they were read");
    networks.push_back(*network);
  }
  return networks;
}

std::optional<config::Wrong> check_listen(const config::HostPort& listen) {
  if (listen.empty() || net::IpAddress::from_text(listen.host)) return std::nullopt;
  return config::Wrong{config::quote(listen.host) + " is not an IP address",
                       "an address and a port, as 127.0.0.1:2525 or [::]:25"};
}

}  // namespace

net::Address SmtpListenerConfig::address() const {
  const auto ip = net::IpAddress::from_text(listen.host);
  CHECK(ip.has_value(), "listen was checked when it was read");
  return {*ip, listen.port};
}

std::vector<net::Network> SmtpListenerConfig::trusted() const {
  return networks_of(trusted_networks);
}

std::vector<net::Network> SmtpListenerConfig::proxies() const {
  return networks_of(proxy_networks);
}

void describe(config::Fields& fields, SmtpListenerConfig& listener) {
  fields.add("listen", listener.listen, "Address and port; port 0 takes a free one.")
      .require()
      .restart()
      .check(check_listen);
  fields
      .add("kind", listener.kind,
           "Who may send: relay takes mail from trusted_networks, submission from authenticated "
           "users, inbound only for the return addresses that Godwit made.")
      .restart();
  fields
      .add("tls", listener.tls,
           "Whether TLS is offered by STARTTLS, begins with the connection, or is not there.")
      .restart();
  fields.add("tls_required", listener.tls_required, "No mail before TLS.").restart();
  fields
      .add("auth_without_tls", listener.auth_without_tls,
           "Passwords are taken in the clear; from loopback they always are.")
      .restart();
  fields
      .add("trusted_networks", listener.trusted_networks,
           "Clients that may relay without a password.")
      .restart()
      .check(check_network);
  fields
      .add("proxy_networks", listener.proxy_networks,
           "Where proxies are: every connection comes from there and begins with a header of the "
           "PROXY protocol, version 1 or 2, that names the client. Empty: no headers are read.")
      .restart()
      .check(check_network);
  fields
      .add("tenant", listener.tenant,
           "The tenant of mail that comes in here; empty: by the domain of From, else `default`.")
      .restart();
  fields.rule("tenant", [&listener]() -> std::optional<config::Wrong> {
    if (listener.tenant.empty() || listener.kind == ListenerKind::kRelay) return std::nullopt;
    return config::Wrong{"only a relay has a tenant of its own",
                         "no tenant: submission has the user's, inbound the recipient's"};
  });
  fields.rule("trusted_networks", [&listener]() -> std::optional<config::Wrong> {
    if (listener.trusted_networks.empty() || listener.kind == ListenerKind::kRelay) {
      return std::nullopt;
    }
    return config::Wrong{"only a relay trusts networks", "kind: relay, or no trusted_networks"};
  });
}

void describe(config::Fields& fields, HttpListenerConfig& http) {
  fields
      .add("listen", http.listen,
           "Address and port of the page that shows captured mail; empty: none.")
      .restart()
      .check(check_listen);
}

Result<std::shared_ptr<net::TlsServerContext>> TlsConfig::load() const {
  std::vector<net::TlsServerFiles> further;
  further.reserve(others.size());
  for (const CertificateConfig& other : others)
    further.push_back({.certificate = other.certificate, .key = other.key});
  return net::TlsServerContext::load({.certificate = certificate, .key = key}, std::move(further));
}

void describe(config::Fields& fields, CertificateConfig& certificate) {
  fields
      .add("certificate", certificate.certificate,
           "PEM: the certificate chain, the server's own first.")
      .require()
      .restart();
  fields.add("key", certificate.key, "PEM: the private key.").require().restart();
}

void describe(config::Fields& fields, TlsConfig& tls) {
  fields.add("certificate", tls.certificate, "PEM: the certificate chain, the server's own first.")
      .restart();
  fields.add("key", tls.key, "PEM: the private key.").restart();
  fields.rule("key", [&tls]() -> std::optional<config::Wrong> {
    if (tls.certificate.empty() == tls.key.empty()) return std::nullopt;
    return config::Wrong{"certificate and key come together", "both, or neither"};
  });
  fields
      .add(
          "others", tls.others,
          "Further certificates, each for the clients that ask for one of its DNS names (SNI); the "
          "first that has the name, also of the one above, which is for everybody else.")
      .restart();
  fields.rule("others", [&tls]() -> std::optional<config::Wrong> {
    if (tls.others.empty() || !tls.certificate.empty()) return std::nullopt;
    return config::Wrong{"clients that ask for no name have no certificate",
                         "certificate and key beside others"};
  });
}

void describe(config::Fields& fields, TimeoutsConfig& timeouts) {
  fields
      .add("proxy_header", timeouts.proxy_header,
           "For the header of a proxy (proxy_networks) to be complete.")
      .range(1s, 1min)
      .restart();
  fields.add("handshake", timeouts.handshake, "For a TLS handshake.").range(1s, 10min).restart();
  fields.add("command", timeouts.command, "For a command line to be complete.")
      .range(1s, 1h)
      .restart();
  fields.add("block", timeouts.block, "Between two parts of a message.").range(1s, 1h).restart();
  fields.add("message", timeouts.message, "For a whole message after 354.")
      .range(1s, 24h)
      .restart();
  fields.add("write", timeouts.write, "For a client to take a reply.").range(1s, 1h).restart();
  fields
      .add("store", timeouts.store,
           "For the log to acknowledge a message; then it is answered 451, and may be sent twice.")
      .range(1s, 10min)
      .restart();
}

void describe(config::Fields& fields, SmtpLimitsConfig& limits) {
  const auto add = [&fields](std::string_view name, std::uint32_t& value, std::uint32_t low,
                             std::uint32_t high, std::string_view doc) {
    fields.add(name, value, doc).range(low, high).restart();
  };
  add("local_part_bytes_max", limits.local_part_bytes_max, 64, 1024,
      "Longest local part of an address (RFC 5321 section 4.5.3.1.1).");
  add("domain_bytes_max", limits.domain_bytes_max, 64, 255,
      "Longest domain of an address (section 4.5.3.1.2).");
  add("path_bytes_max", limits.path_bytes_max, 256, 2048,
      "Longest path with its brackets (section 4.5.3.1.3).");
  add("command_line_bytes_max", limits.command_line_bytes_max, 512, 65536,
      "Longest command line with CRLF (section 4.5.3.1.4).");
  add("path_line_bytes_max", limits.path_line_bytes_max, 1024, 65536,
      "Longest MAIL or RCPT line, which extensions make longer.");
  add("auth_line_bytes_max", limits.auth_line_bytes_max, 1024, 65536,
      "Longest line of AUTH (RFC 4954 section 4).");
  fields
      .add("text_line_bytes_max", limits.text_line_bytes_max,
           "Longest line of a message with CRLF (section 4.5.3.1.6); 0: any.")
      .restart();
  add("recipients_max", limits.recipients_max, 100, 100'000,
      "Recipients of one message (section 4.5.3.1.8); more get 452.");
  fields.add("messages_max", limits.messages_max, "Messages of one session, then 421; 0: any.")
      .restart();
  add("errors_max", limits.errors_max, 1, 10'000, "Errors since the last message, then 421.");
  add("unknown_commands_max", limits.unknown_commands_max, 1, 10'000,
      "Unknown commands of one session, then 421.");
  add("idle_commands_max", limits.idle_commands_max, 1, 100'000,
      "Commands that lead nowhere since the last message, then 421.");
  add("auth_failures_max", limits.auth_failures_max, 1, 100,
      "Failed logins of one session, then 421.");
  add("received_max", limits.received_max, 10, 1000,
      "Received lines of a message, then it is a loop (section 6.3): 554.");
}

void describe(config::Fields& fields, BudgetConfig& budgets) {
  fields
      .add("message_bytes_max", budgets.message_bytes_max,
           "Content received and not yet acknowledged, over all sessions; above it 452.")
      .bytes()
      .range(1u << 20, 1ull << 40)
      .restart();
  fields.add("sessions_max", budgets.sessions_max, "SMTP sessions at once; above it 421.")
      .range(1, 1'000'000)
      .restart();
  fields
      .add("sessions_per_address_max", budgets.sessions_per_address_max,
           "The same for one client address; trusted networks and loopback are exempt.")
      .range(1, 1'000'000)
      .restart();
  fields
      .add("auth_failures_per_address_max", budgets.auth_failures_per_address_max,
           "Failed logins from one address within auth_failure_window; then it is refused.")
      .range(1, 1'000'000)
      .restart();
  fields
      .add("auth_failures_per_account_max", budgets.auth_failures_per_account_max,
           "Failed logins of one user name within auth_failure_window; then it is refused.")
      .range(1, 1'000'000)
      .restart();
  fields.add("auth_failure_window", budgets.auth_failure_window, "How long a failed login counts.")
      .range(1s, 24h)
      .restart();
  fields
      .add("password_hashes_max", budgets.password_hashes_max,
           "Password hashes computed at once; each takes the memory it asks for, at most 256 MiB.")
      .range(1, 64)
      .restart();
  fields
      .add("login_cache_ttl", budgets.login_cache_ttl,
           "How long a verified login needs no hash again, unless its password is changed; 0: "
           "never.")
      .range(0ms, 1h)
      .restart();
}

void describe(config::Fields& fields, Config& config) {
  fields
      .add("hostname", config.hostname,
           "Our name in greetings and Received lines; empty: the node's name.")
      .restart();
  fields.add("smtp", config.smtp, "SMTP listeners.");
  fields.add("http", config.http, "The HTTP port; so far it serves the captured mail.");
  fields.add("tls", config.tls, "Certificates of all listeners; read again at a reload.");
  fields
      .add("max_message_bytes", config.max_message_bytes,
           "Longest message, as SIZE counts it (RFC 1870).")
      .bytes()
      .range(64u << 10, 1ull << 30)
      .restart();
  fields.add("limits", config.limits, "Limits of one session.");
  fields.add("timeouts", config.timeouts, "How long is waited for what.");
  fields.add("budgets", config.budgets, "Limits over all sessions of a process.");
  fields.add("drain_wait", config.drain_wait, "For messages under way when the process ends.")
      .range(0ms, 1h);
}

}  // namespace godwit::ingress
