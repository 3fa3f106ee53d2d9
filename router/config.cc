#include "router/config.h"

namespace godwit::router {

using namespace std::chrono_literals;

void describe(config::Fields& fields, WindowConfig& window) {
  fields
      .add("messages", window.messages,
           "Messages of a partition and class that are read and not yet committed.")
      .range(1, 1'000'000)
      .restart();
  fields.add("bytes", window.bytes, "Octets of their records.")
      .bytes()
      .range(1ull << 20, 1ull << 32)
      .restart();
  fields.add("batch_messages", window.batch_messages, "Messages of one commit.")
      .range(1, 100'000)
      .restart();
}

void describe(config::Fields& fields, SiteConfig& sites) {
  fields.add("look_ups", sites.look_ups, "MX look-ups of a shard under way at a time.")
      .range(1, 10'000)
      .restart();
  fields.add("domains", sites.domains, "Recipient domains of a shard whose site is remembered.")
      .range(1, 10'000'000)
      .restart();
  fields
      .add("patience", sites.patience,
           "How long a message waits for its MX look-ups; after that its domain is its site.")
      .range(0ms, 60s)
      .restart();
  fields.add("ttl_min", sites.ttl_min, "A site is remembered at least this long.")
      .range(1s, 24h)
      .restart();
  fields.add("ttl_max", sites.ttl_max, "A site is remembered at most this long.")
      .range(1s, 24h)
      .restart();
  fields.add("failure_ttl", sites.failure_ttl, "How long a look-up that failed is not repeated.")
      .range(1s, 1h)
      .restart();
  fields.rule("ttl_max", [&sites]() -> std::optional<config::Wrong> {
    if (sites.ttl_max >= sites.ttl_min) return std::nullopt;
    return config::Wrong{"is below ttl_min", "at least as long"};
  });
}

void describe(config::Fields& fields, Config& config) {
  fields.add("window", config.window, "How much of a partition is held in memory.");
  fields.add("sites", config.sites, "How the site of a recipient domain is found.");
}

}  // namespace godwit::router
