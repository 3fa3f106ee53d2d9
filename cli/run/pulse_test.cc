#include "cli/run/pulse.h"

#include <gtest/gtest.h>

#include <optional>

namespace godwit::cli::run {
namespace {

TEST(Pulse, NamesTheShardThatStandsStill) {
  async::Shards shards(2);
  shards.start();
  observe::Health health;
  observe::Metrics metrics;
  {
    const Pulse pulse(shards, health, metrics);
    const Instant now = system_clock().instant();
    EXPECT_TRUE(health.not_live(now).empty());
    const auto late = health.not_live(now + Pulse::kStillMax + std::chrono::seconds(5));
    ASSERT_EQ(late.size(), 2u);
    EXPECT_EQ(late[0].name, "shard-0");
  }
  EXPECT_TRUE(health.not_live(system_clock().instant() + std::chrono::hours(1)).empty())
      << "no shards, no hearts";
  shards.stop();
}

}  // namespace
}  // namespace godwit::cli::run
