#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/net/address.h"
#include "common/net/tls.h"

// The configuration of the role `ingress`, below `ingress:` in the file. docs/configuration.md is
// made from the describe() functions.
namespace godwit::ingress {

enum class ListenerKind : std::uint8_t {
  kRelay,       // mail of trusted networks
  kSubmission,  // mail of authenticated users (RFC 6409)
  kInbound,     // what comes back to return addresses of ours
};

enum class ListenerTls : std::uint8_t {
  kStartTls,  // offered where a certificate is configured
  kImplicit,  // from the first octet (RFC 8314)
  kNone,
};

constexpr auto config_names(ListenerKind) {
  return std::to_array<config::EnumName<ListenerKind>>({{"relay", ListenerKind::kRelay},
                                                        {"submission", ListenerKind::kSubmission},
                                                        {"inbound", ListenerKind::kInbound}});
}
constexpr auto config_names(ListenerTls) {
  return std::to_array<config::EnumName<ListenerTls>>({{"starttls", ListenerTls::kStartTls},
                                                       {"implicit", ListenerTls::kImplicit},
                                                       {"none", ListenerTls::kNone}});
}

// One element of `ingress.smtp`.
struct SmtpListenerConfig {
  config::HostPort listen;
  ListenerKind kind = ListenerKind::kRelay;
  ListenerTls tls = ListenerTls::kStartTls;
  bool tls_required = false;
  bool auth_without_tls = false;  // clients on loopback may always
  std::vector<std::string> trusted_networks;
  std::vector<std::string> proxy_networks;  // empty: no PROXY protocol
  std::string tenant;

  [[nodiscard]] net::Address address() const;
  [[nodiscard]] std::vector<net::Network> trusted() const;
  [[nodiscard]] std::vector<net::Network> proxies() const;
};

struct HttpListenerConfig {
  config::HostPort listen;
};

struct CertificateConfig {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

struct TlsConfig {
  std::filesystem::path certificate;  // empty: no TLS
  std::filesystem::path key;
  std::vector<CertificateConfig> others;  // chosen by the server name that a client asks for

  // Errors: as net::TlsServerContext::load. Only with a certificate.
  [[nodiscard]] Result<std::shared_ptr<net::TlsServerContext>> load() const;
};

// RFC 5321 s4.5.3.2, the server's side, and our own bounds.
struct TimeoutsConfig {
  std::chrono::milliseconds proxy_header = std::chrono::seconds{5};
  std::chrono::milliseconds handshake = std::chrono::seconds{30};
  std::chrono::milliseconds command = std::chrono::minutes{5};   // s4.5.3.2.7: a whole command line
  std::chrono::milliseconds block = std::chrono::minutes{3};     // s4.5.3.2.5: between two octets
  std::chrono::milliseconds message = std::chrono::minutes{30};  // 354 to the final dot
  std::chrono::milliseconds write = std::chrono::minutes{1};     // of replies nobody reads
  std::chrono::milliseconds store = std::chrono::minutes{2};     // the log's acknowledgement
};

// See smtp::ServerLimits for what each means.
struct SmtpLimitsConfig {
  std::uint32_t local_part_bytes_max = 64;
  std::uint32_t domain_bytes_max = 255;
  std::uint32_t path_bytes_max = 256;
  std::uint32_t command_line_bytes_max = 512;
  std::uint32_t path_line_bytes_max = 2048;
  std::uint32_t auth_line_bytes_max = 12288;
  std::uint32_t text_line_bytes_max = 1000;
  std::uint32_t recipients_max = 1000;
  std::uint32_t messages_max = 0;
  std::uint32_t errors_max = 20;
  std::uint32_t unknown_commands_max = 10;
  std::uint32_t idle_commands_max = 100;
  std::uint32_t auth_failures_max = 3;
  std::uint32_t received_max = 50;
};

// What all sessions of the process may hold together.
struct BudgetConfig {
  std::uint64_t message_bytes_max = 512ull << 20;  // content received and not yet acknowledged
  std::uint32_t sessions_max = 15'000;
  std::uint32_t sessions_per_address_max = 100;      // trusted networks and loopback exempt
  std::uint32_t auth_failures_per_address_max = 10;  // in auth_failure_window
  std::uint32_t auth_failures_per_account_max = 20;
  std::chrono::milliseconds auth_failure_window = std::chrono::minutes{15};
  std::uint32_t password_hashes_max = 2;  // at once; each takes up to 256 MiB
  std::chrono::milliseconds login_cache_ttl = std::chrono::minutes{5};
};

struct Config {
  std::string hostname;  // empty: the node's name
  std::vector<SmtpListenerConfig> smtp;
  HttpListenerConfig http;
  TlsConfig tls;
  std::uint64_t max_message_bytes = 36'700'160;
  SmtpLimitsConfig limits;
  TimeoutsConfig timeouts;
  BudgetConfig budgets;
  std::chrono::milliseconds drain_wait = std::chrono::seconds{30};
};

void describe(config::Fields& fields, SmtpListenerConfig& listener);
void describe(config::Fields& fields, HttpListenerConfig& http);
void describe(config::Fields& fields, CertificateConfig& certificate);
void describe(config::Fields& fields, TlsConfig& tls);
void describe(config::Fields& fields, TimeoutsConfig& timeouts);
void describe(config::Fields& fields, SmtpLimitsConfig& limits);
void describe(config::Fields& fields, BudgetConfig& budgets);
void describe(config::Fields& fields, Config& config);

}  // namespace godwit::ingress
