#include "common/observe/health.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/manual_clock.h"

namespace godwit::observe {
namespace {

std::string text(const std::vector<Health::Trouble>& troubles) {
  std::string out;
  for (const auto& trouble : troubles) out += trouble.name + ": " + trouble.problem + "\n";
  return out;
}

TEST(Health, ReadyWhenEveryComponentIsWell) {
  Health health;
  EXPECT_EQ(text(health.not_ready()), "");
  auto log = health.component("log");
  auto dns = health.component("dns");
  EXPECT_EQ(text(health.not_ready()), "log: starting\ndns: starting\n");
  log->ok();
  dns->problem("no server answers");
  EXPECT_EQ(text(health.not_ready()), "dns: no server answers\n");
  dns.reset();
  EXPECT_EQ(text(health.not_ready()), "");
  health.drain();
  EXPECT_EQ(text(health.not_ready()), "process: draining\n");
}

TEST(Health, LiveWhileEveryHeartBeats) {
  Health health;
  ManualClock clock;
  const auto shard = health.heartbeat("shard-0", std::chrono::seconds(10), clock.instant());
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(text(health.not_live(clock.instant())), "");
  clock.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(text(health.not_live(clock.instant())), "shard-0: no heartbeat for 10001 ms\n");
  shard->beat(clock.instant());
  EXPECT_EQ(text(health.not_live(clock.instant())), "");
}

}  // namespace
}  // namespace godwit::observe
