#include "sender/gcra.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;
using control::Rate;

const Instant kStart = Instant{} + 1h;
const Timestamp kWall = from_unix_ms(1'767'225'600'000);

int taken_at(Gcra& limiter, Instant now) {
  int taken = 0;
  for (; limiter.ready_at(now) <= now; ++taken) limiter.take(now);
  return taken;
}

TEST(Gcra, SpacesEventsEvenly) {
  Gcra limiter(Rate{.count = 5, .per = 1s});
  EXPECT_EQ(taken_at(limiter, kStart), 1);
  EXPECT_EQ(limiter.ready_at(kStart), kStart + 200ms);
  EXPECT_EQ(taken_at(limiter, kStart + 199ms), 0);
  EXPECT_EQ(taken_at(limiter, kStart + 200ms), 1);
}

TEST(Gcra, ALongPauseEarnsTheBurstAndNoMore) {
  Gcra limiter(Rate{.count = 5, .per = 1s, .burst = 3});
  EXPECT_EQ(taken_at(limiter, kStart), 3);
  EXPECT_EQ(taken_at(limiter, kStart + 200ms), 1);
  EXPECT_EQ(taken_at(limiter, kStart + 10h), 3);
}

TEST(Gcra, AZeroRateAllowsNothing) {
  Gcra limiter(Rate{.count = 0, .per = 1s});
  EXPECT_EQ(limiter.ready_at(kStart), Instant::max());
  limiter.start_cold(kStart, 1s);
  limiter.restore(0, kStart, kWall);
  EXPECT_EQ(limiter.ready_at(kStart), Instant::max());
  limiter.set_rate(Rate{.count = 1, .per = 1s});
  EXPECT_EQ(taken_at(limiter, kStart), 1);
}

TEST(Gcra, ABurstOfZeroIsOne) {
  Gcra limiter(Rate{.count = 5, .per = 1s, .burst = 0});
  EXPECT_EQ(taken_at(limiter, kStart), 1);
}

TEST(Gcra, HugeNumbersDoNotOverflow) {
  Gcra limiter(Rate{.count = 1, .per = 24h, .burst = ~0ull});
  EXPECT_LE(limiter.ready_at(kStart), kStart);
  Gcra fast(Rate{.count = ~0ull, .per = 1ms, .burst = 1});
  EXPECT_EQ(fast.ready_at(kStart), kStart);
}

TEST(Gcra, GivesBackWhatWasNotUsed) {
  Gcra limiter(Rate{.count = 1, .per = 1s});
  limiter.take(kStart);
  limiter.give_back();
  EXPECT_EQ(taken_at(limiter, kStart), 1);
}

TEST(Gcra, AFasterRateHoldsSoonerASlowerOneAtOnce) {
  Gcra limiter(Rate{.count = 1, .per = 1h});
  limiter.take(kStart);
  limiter.set_rate(Rate{.count = 1, .per = 1s});
  EXPECT_EQ(limiter.ready_at(kStart), kStart + 1s);
  limiter.set_rate(Rate{.count = 1, .per = 1h});
  EXPECT_EQ(taken_at(limiter, kStart + 1s), 1);
  EXPECT_EQ(limiter.ready_at(kStart + 1s), kStart + 1s + 1h);
}

TEST(Gcra, MovesToAnotherOwnerWithItsPhase) {
  Gcra old_owner(Rate{.count = 1, .per = 10s});
  old_owner.take(kStart);
  const auto state = old_owner.theoretical_arrival_unix_us(kStart + 4s, kWall + 4s);

  // Another machine: its steady clock has nothing to do with ours.
  const Instant there = Instant{} + 777h;
  Gcra new_owner(Rate{.count = 1, .per = 10s});
  new_owner.restore(state, there, kWall + 4s);
  EXPECT_EQ(new_owner.ready_at(there), there + 6s);
}

TEST(Gcra, AStateFromTheFutureOwesOneBurstAtMost) {
  Gcra limiter(Rate{.count = 1, .per = 10s, .burst = 2});
  limiter.restore(std::chrono::microseconds(kWall.time_since_epoch() + 24h).count(), kStart, kWall);
  EXPECT_EQ(limiter.ready_at(kStart), kStart + 10s);
}

TEST(Gcra, AColdStartHasNoBurst) {
  Gcra limiter(Rate{.count = 10, .per = 1s, .burst = 50});
  limiter.start_cold(kStart, 200ms);
  EXPECT_EQ(taken_at(limiter, kStart), 0);
  EXPECT_EQ(limiter.ready_at(kStart), kStart + 200ms);
  EXPECT_EQ(taken_at(limiter, kStart + 200ms), 1);
}

// The law: in every window of length L at most burst + L / interval events.
TEST(Gcra, IsNeverExceededWhateverTheArrivals) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    const Rate rate{.count = 1 + random() % 1000,
                    .per = std::chrono::milliseconds(1 + random() % 100'000),
                    .burst = 1 + random() % 20};
    Gcra limiter(rate);
    const double interval = static_cast<double>(std::chrono::nanoseconds(rate.per).count()) /
                            static_cast<double>(rate.count);
    std::deque<Instant> taken;
    Instant now = kStart;
    for (int i = 0; i < 2000; ++i) {
      now += std::chrono::nanoseconds(random() % static_cast<std::uint64_t>(interval * 2 + 2));
      if (limiter.ready_at(now) > now) continue;
      limiter.take(now);
      taken.push_back(now);
      if (taken.size() > 300) taken.pop_front();
      for (std::size_t back = 1; back <= taken.size(); ++back) {
        const auto length = static_cast<double>((now - taken[taken.size() - back]).count());
        ASSERT_LE(static_cast<double>(back),
                  static_cast<double>(rate.burst) + length / interval + 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace godwit::sender
