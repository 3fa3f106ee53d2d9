#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/fields.h"
#include "common/control/static_route.h"
#include "common/net/address.h"
#include "sender/retry_schedule.h"
#include "sender/window.h"

// The configuration of the role `sender`, below `sender:` in the file. docs/configuration.md is
// made from the describe() functions.
namespace godwit::sender {

enum class RouteTls : std::uint8_t { kOpportunistic, kRequired, kDisabled };
constexpr auto config_names(RouteTls) {
  return std::to_array<config::EnumName<RouteTls>>({{"opportunistic", RouteTls::kOpportunistic},
                                                    {"required", RouteTls::kRequired},
                                                    {"disabled", RouteTls::kDisabled}});
}

// One element of `sender.routes`. Router and sender use the same list: see static_routes().
struct RouteConfig {
  std::string domain;
  std::string to;
  std::string site;
  std::optional<RouteTls> tls;  // overrides shaping
  std::string username;
  std::string password;
};

// RFC 5321 s4.5.3.2: how long each answer is waited for.
struct Timeouts {
  std::chrono::milliseconds connect = std::chrono::seconds{30};
  std::chrono::milliseconds banner = std::chrono::minutes{5};  // s4.5.3.2.1
  std::chrono::milliseconds ehlo = std::chrono::minutes{5};
  std::chrono::milliseconds starttls = std::chrono::seconds{60};  // the handshake
  std::chrono::milliseconds auth = std::chrono::minutes{2};
  std::chrono::milliseconds mail = std::chrono::minutes{5};   // s4.5.3.2.2
  std::chrono::milliseconds rcpt = std::chrono::minutes{5};   // s4.5.3.2.3
  std::chrono::milliseconds data = std::chrono::minutes{2};   // s4.5.3.2.4
  std::chrono::milliseconds block = std::chrono::minutes{3};  // s4.5.3.2.5: of one write
  std::chrono::milliseconds dot = std::chrono::minutes{10};   // s4.5.3.2.6: shorter doubles mail
  std::chrono::milliseconds quit = std::chrono::seconds{2};   // nothing is lost without its answer
};

// How much of a partition is held in memory.
struct WindowConfig {
  std::uint32_t records = 4096;  // of one topic partition, consumed and unfinished
  std::uint64_t bytes = 32ull << 20;
  // Mail behind a lane that is slower than its intake is parked when the window has been full this
  // long.
  std::chrono::milliseconds patience = std::chrono::seconds{10};
  std::uint32_t lane_share = 256;  // of such a lane, that stay in memory
  std::uint32_t parked = 1024;     // parked deliveries that are due, taken back into memory
};

struct Config {
  std::uint16_t smtp_port = 25;
  std::vector<RouteConfig> routes;
  RetrySchedule retry;
  Timeouts timeouts;
  WindowConfig window;
  // Content loaded for attempts and parking, in the whole process.
  std::uint64_t content_memory = 256ull << 20;
  std::chrono::milliseconds commit_interval{100};
  // No new transaction for a partition whose oldest unacknowledged commit is this old.
  std::chrono::milliseconds commit_age_max{1000};
  // Shorter than the log waits for a partition that is given back (log.kafka.revocation): the last commit comes
  // after, with what is `outcome: unknown` by then.
  std::chrono::milliseconds drain_wait = std::chrono::seconds{20};
  std::uint32_t connection_failures_max = 100;  // of a source at a site, in a row, before it pauses
  std::uint32_t metric_domains_max = 20;        // recipient domains that metrics name
  bool notify = true;
  std::chrono::milliseconds delay_notice = std::chrono::hours{4};
  std::string tls_ca_file;                // empty: the system's
  std::vector<std::string> own_networks;  // MX hosts in them are refused: mail would come back

  // The routes as the look-up both roles use. Elements were checked when they were read.
  [[nodiscard]] control::StaticRoutes static_routes() const;
  [[nodiscard]] std::vector<net::Network> own() const;
};

void describe(config::Fields& fields, RouteConfig& route);
void describe(config::Fields& fields, RetrySchedule& retry);
void describe(config::Fields& fields, Timeouts& timeouts);
void describe(config::Fields& fields, WindowConfig& window);
void describe(config::Fields& fields, Config& config);

}  // namespace godwit::sender
