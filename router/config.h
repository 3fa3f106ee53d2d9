#pragma once

#include <chrono>
#include <cstdint>

#include "common/config/fields.h"

// The configuration of the role `router`, below `router:` in the file. The static routes are the sender's
// (`sender.routes`): both roles get the same list.
namespace godwit::router {

// Of one partition, both classes each.
struct WindowConfig {
  std::uint32_t messages = 4096;  // read and not yet committed
  std::uint64_t bytes = 16ull << 20;
  std::uint32_t batch_messages = 1024;  // of one commit
};

// Of one shard.
struct SiteConfig {
  std::uint32_t look_ups = 256;     // under way at a time; more wait
  std::uint32_t domains = 100'000;  // remembered
  // How long a message waits for its domain's MX hosts; after that its site is the domain.
  std::chrono::milliseconds patience{2'000};
  std::chrono::seconds ttl_min{60};
  std::chrono::seconds ttl_max{3'600};
  std::chrono::seconds failure_ttl{30};  // of SERVFAIL, time-out and bogus answers
};

struct Config {
  WindowConfig window;
  SiteConfig sites;
};

void describe(config::Fields& fields, WindowConfig& window);
void describe(config::Fields& fields, SiteConfig& sites);
void describe(config::Fields& fields, Config& config);

}  // namespace godwit::router
