#include "common/async/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace godwit::async {
namespace {

using namespace std::chrono_literals;

class Probe final : public TimerWheel::Timer {
 public:
  int fired = 0;
  std::function<void()> then;

 private:
  void expired() override {
    ++fired;
    if (then) then();
  }
};

class TimerWheelTest : public testing::Test {
 protected:
  const Instant start{Instant{} + 5h};
  TimerWheel wheel{start};
};

TEST_F(TimerWheelTest, FiresAtTheDeadlineOrOneTickLaterNeverBefore) {
  for (const Duration after : {1ns, 1000000ns, 16000000ns, 16000001ns, 100000000ns}) {
    TimerWheel fresh(start);
    Probe probe;
    fresh.set(probe, start + after);
    fresh.advance(start + after - 1ns);
    EXPECT_EQ(probe.fired, 0) << after.count();
    fresh.advance(start + after + TimerWheel::kTick);
    EXPECT_EQ(probe.fired, 1) << after.count();
    EXPECT_FALSE(probe.is_set());
  }
}

TEST_F(TimerWheelTest, APassedDeadlineFiresAtTheNextTickNotInsideSet) {
  Probe probe;
  wheel.advance(start + 1s);
  wheel.set(probe, start);
  EXPECT_EQ(probe.fired, 0);
  wheel.advance(start + 1s + TimerWheel::kTick);
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(TimerWheelTest, NeverIsNotSet) {
  Probe probe;
  wheel.set(probe, Instant::max());
  EXPECT_FALSE(probe.is_set());
  EXPECT_EQ(wheel.next(), std::nullopt);
  wheel.set(probe, Instant::max() - 1ns);  // far away, but a time: no overflow
  EXPECT_TRUE(probe.is_set());
  wheel.advance(start + 24h);
  EXPECT_EQ(probe.fired, 0);
}

TEST_F(TimerWheelTest, SetMovesATimer) {
  Probe probe;
  wheel.set(probe, start + 1s);
  wheel.set(probe, start + 10s);
  EXPECT_EQ(wheel.size(), 1U);
  wheel.advance(start + 5s);
  EXPECT_EQ(probe.fired, 0);
  wheel.advance(start + 11s);
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(TimerWheelTest, CancelAndDestructionUnset) {
  Probe cancelled;
  wheel.set(cancelled, start + 1s);
  cancelled.cancel();
  cancelled.cancel();
  {
    Probe destroyed;
    wheel.set(destroyed, start + 1s);
    EXPECT_EQ(wheel.size(), 1U);
  }
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.advance(start + 1h), 0U);
  EXPECT_EQ(cancelled.fired, 0);
}

TEST_F(TimerWheelTest, ExpiredMayCancelDestroyAndSetOthersOfTheSameSlot) {
  Probe a;
  Probe b;
  auto c = std::make_unique<Probe>();
  Probe later;
  const auto end_the_others = [&] {
    a.cancel();
    b.cancel();
    c.reset();
    wheel.set(later, start + 2s);
  };
  a.then = b.then = c->then = end_the_others;
  wheel.set(a, start + 1s);
  wheel.set(b, start + 1s);
  wheel.set(*c, start + 1s);
  EXPECT_EQ(wheel.advance(start + 1500ms), 1U);
  EXPECT_EQ(wheel.advance(start + 3s), 1U);
  EXPECT_EQ(later.fired, 1);
}

TEST_F(TimerWheelTest, ATimerThatSetsItselfAgainDoesNotHoldAdvanceUp) {
  Probe probe;
  probe.then = [&] { wheel.set(probe, start); };
  wheel.set(probe, start);
  wheel.advance(start + 10 * TimerWheel::kTick);
  EXPECT_LE(probe.fired, 10);
  EXPECT_TRUE(probe.is_set());
}

TEST_F(TimerWheelTest, NextIsTheSlotOfTheEarliest) {
  Probe far;
  Probe near;
  wheel.set(far, start + 40s);
  wheel.set(near, start + 100ms);
  ASSERT_TRUE(wheel.next());
  EXPECT_GE(*wheel.next(), start + 100ms);
  EXPECT_LT(*wheel.next(), start + 100ms + TimerWheel::kTick);
}

// Against the obvious model: random times, cancellations and jumps, some longer than several turns.
TEST_F(TimerWheelTest, AgreesWithAModel) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Instant now = start;
  std::vector<std::unique_ptr<Probe>> probes(300);
  for (auto& probe : probes) probe = std::make_unique<Probe>();
  std::vector<Instant> due(probes.size(), Instant::max());
  for (int round = 0; round < 3000; ++round) {
    const std::size_t i = random() % probes.size();
    if (random() % 4 == 0) {
      probes[i]->cancel();
      due[i] = Instant::max();
    } else {
      due[i] = now + std::chrono::milliseconds(random() % (random() % 8 == 0 ? 400'000 : 3'000));
      wheel.set(*probes[i], due[i]);
    }
    if (random() % 3 != 0) continue;
    now += std::chrono::milliseconds(random() % (random() % 50 == 0 ? 200'000 : 300));
    wheel.advance(now);
    for (std::size_t j = 0; j < probes.size(); ++j) {
      if (probes[j]->fired > 0) {
        ASSERT_LE(due[j], now);
        due[j] = Instant::max();
        probes[j]->fired = 0;
      } else if (due[j] != Instant::max()) {
        ASSERT_GT(due[j] + TimerWheel::kTick, now - TimerWheel::kTick)
            << "late by more than a tick";
      }
    }
  }
}

}  // namespace
}  // namespace godwit::async
