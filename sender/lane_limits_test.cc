#include "sender/lane_limits.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;
using control::Rate;
using control::Shaping;

const Instant kStart = Instant{} + 1h;
const Timestamp kWall = from_unix_ms(1'767'225'600'000);
const SourceName kA{"a"};
const SourceName kB{"b"};

TEST(LaneLimits, AnUnknownSourceWaitsForAChange) {
  const LaneLimits limits;
  EXPECT_EQ(limits.may_connect(kA, kStart).why, Wait::kNoSource);
  EXPECT_EQ(limits.may_send(kA, kStart).why, Wait::kNoSource);
  EXPECT_EQ(limits.may_send(kA, kStart).at, Instant::max());
}

TEST(LaneLimits, ConnectionsPerSource) {
  LaneLimits limits;
  limits.set(kA, {.connection_limit = 2}, kStart);
  limits.set(kB, {.connection_limit = 1}, kStart);
  limits.connected(kA, kStart);
  limits.connected(kA, kStart);
  EXPECT_EQ(limits.may_connect(kA, kStart).why, Wait::kConnectionLimit);
  EXPECT_TRUE(limits.may_connect(kB, kStart).granted());
  limits.closed(kA);
  EXPECT_TRUE(limits.may_connect(kA, kStart).granted());
  EXPECT_EQ(limits.connections(kA), 1U);
}

TEST(LaneLimits, ConnectionsOfTheWholeLane) {
  LaneLimits limits;
  limits.set(kA, {.connection_limit = 9, .lane_connection_limit = 2}, kStart);
  limits.set(kB, {.connection_limit = 9, .lane_connection_limit = 2}, kStart);
  limits.connected(kA, kStart);
  limits.connected(kB, kStart);
  EXPECT_EQ(limits.may_connect(kA, kStart).why, Wait::kLaneConnectionLimit);
  EXPECT_EQ(limits.may_connect(kB, kStart).why, Wait::kLaneConnectionLimit);
}

TEST(LaneLimits, ConnectionRate) {
  LaneLimits limits;
  limits.set(kA, {.connection_limit = 9, .max_connection_rate = Rate{.count = 2, .per = 1s}},
             kStart);
  limits.connected(kA, kStart);
  EXPECT_EQ(limits.may_connect(kA, kStart).why, Wait::kConnectionRate);
  EXPECT_EQ(limits.may_connect(kA, kStart).at, kStart + 500ms);
  limits.closed(kA);  // closing does not give the token back
  EXPECT_FALSE(limits.may_connect(kA, kStart + 499ms).granted());
  EXPECT_TRUE(limits.may_connect(kA, kStart + 500ms).granted());
}

TEST(LaneLimits, ALimitOfZeroStopsTheSource) {
  LaneLimits limits;
  limits.set(kA, {.connection_limit = 0}, kStart);
  EXPECT_EQ(limits.may_connect(kA, kStart).why, Wait::kConnectionLimit);
}

TEST(LaneLimits, MessagesPerSourceAndOverTheLane) {
  LaneLimits limits;
  Shaping shaping{.max_message_rate = Rate{.count = 10, .per = 1s},
                  .lane_max_message_rate = Rate{.count = 12, .per = 1s, .burst = 2}};
  limits.set(kA, shaping, kStart);
  limits.set(kB, shaping, kStart);
  limits.sent(kA, kStart);
  EXPECT_EQ(limits.may_send(kA, kStart).why, Wait::kMessageRate);
  limits.sent(kB, kStart);
  EXPECT_EQ(limits.may_send(kB, kStart).at, kStart + 100ms);
  // At 100 ms both sources may, the lane only one of them: it names the later reason.
  limits.sent(kB, kStart + 100ms);
  const auto answer = limits.may_send(kA, kStart + 100ms);
  EXPECT_EQ(answer.why, Wait::kLaneMessageRate);
  EXPECT_GT(answer.at, kStart + 100ms);
  limits.not_sent(kB);
  EXPECT_TRUE(limits.may_send(kA, kStart + 100ms).granted());
}

TEST(LaneLimits, TheSlowestLaneRateCounts) {
  LaneLimits limits;
  limits.set(kA, {.lane_max_message_rate = Rate{.count = 5000, .per = 1h}}, kStart);
  limits.set(kB, {.lane_max_message_rate = Rate{.count = 100, .per = 1s}}, kStart);
  limits.sent(kA, kStart);
  EXPECT_EQ(limits.may_send(kB, kStart).at, kStart + 720ms);
}

TEST(LaneLimits, NewControlDataDoesNotForgiveWhatWasSpent) {
  LaneLimits limits;
  limits.set(kA, {.max_message_rate = Rate{.count = 1, .per = 10s}}, kStart);
  limits.sent(kA, kStart);
  limits.set(kA, {.max_message_rate = Rate{.count = 1, .per = 10s}}, kStart);
  EXPECT_EQ(limits.may_send(kA, kStart).at, kStart + 10s);
  limits.set(kA, {.max_message_rate = Rate{.count = 1, .per = 1s}}, kStart);
  EXPECT_EQ(limits.may_send(kA, kStart).at, kStart + 1s);
  limits.set(kA, {}, kStart);
  EXPECT_TRUE(limits.may_send(kA, kStart).granted());
}

TEST(LaneLimits, StateMovesToTheNextOwner) {
  const Shaping shaping{.max_connection_rate = Rate{.count = 1, .per = 20s},
                        .max_message_rate = Rate{.count = 1, .per = 10s},
                        .lane_max_message_rate = Rate{.count = 1, .per = 5s}};
  LaneLimits before;
  before.set(kA, shaping, kStart);
  EXPECT_TRUE(before.idle(kStart));
  before.connected(kA, kStart);
  EXPECT_FALSE(before.idle(kStart));
  before.sent(kA, kStart);
  v1::LaneState state;
  before.save(state, kStart + 1s, kWall + 1s);
  EXPECT_EQ(state.limiters_size(), 3);

  const Instant there = Instant{} + 99h;
  LaneLimits after;
  after.restore(state, there, kWall + 2s);
  after.set(kA, shaping, there);
  after.set(kB, shaping, there);
  EXPECT_EQ(after.may_send(kA, there).at, there + 8s);
  EXPECT_EQ(after.may_send(kB, there).at, there + 3s);  // the lane's
  EXPECT_EQ(after.may_connect(kA, there).at, there + 18s);
}

TEST(LaneLimits, AColdOwnerHasNoBurst) {
  LaneLimits limits;
  limits.start_cold(kStart, 200ms);
  limits.set(kA, {.max_message_rate = Rate{.count = 10, .per = 1s, .burst = 20}}, kStart);
  EXPECT_EQ(limits.may_send(kA, kStart).at, kStart + 200ms);
}

// Whatever asks in whatever order, no limit is exceeded at any time.
TEST(LaneLimits, NeverExceeded) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const Shaping shaping{.connection_limit = 3,
                        .lane_connection_limit = 5,
                        .max_message_rate = Rate{.count = 7, .per = 1s, .burst = 2},
                        .lane_max_message_rate = Rate{.count = 11, .per = 1s, .burst = 3}};
  LaneLimits limits;
  limits.set(kA, shaping, kStart);
  limits.set(kB, shaping, kStart);
  std::map<SourceName, int> open;
  std::vector<std::pair<Instant, SourceName>> sent;
  Instant now = kStart;
  for (int i = 0; i < 20'000; ++i) {
    now += std::chrono::microseconds(random() % 20'000);
    const SourceName& source = random() % 2 == 0 ? kA : kB;
    switch (random() % 3) {
      case 0:
        if (limits.may_connect(source, now).granted()) {
          limits.connected(source, now);
          ++open[source];
        }
        break;
      case 1:
        if (open[source] > 0) {
          limits.closed(source);
          --open[source];
        }
        break;
      default:
        if (limits.may_send(source, now).granted()) {
          limits.sent(source, now);
          sent.emplace_back(now, source);
        }
    }
    ASSERT_LE(open[kA], 3);
    ASSERT_LE(open[kB], 3);
    ASSERT_LE(open[kA] + open[kB], 5);
  }
  std::map<SourceName, int> in_second;
  for (std::size_t first = 0; first < sent.size(); ++first) {
    in_second.clear();
    int lane = 0;
    for (std::size_t i = first; i < sent.size() && sent[i].first <= sent[first].first + 1s; ++i) {
      ++in_second[sent[i].second];
      ++lane;
    }
    ASSERT_LE(in_second[kA], 2 + 7);
    ASSERT_LE(in_second[kB], 2 + 7);
    ASSERT_LE(lane, 3 + 11);
  }
}

}  // namespace
}  // namespace godwit::sender
