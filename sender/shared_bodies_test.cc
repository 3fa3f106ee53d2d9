#include "sender/shared_bodies.h"

#include <gtest/gtest.h>

#include "common/async/test_loop.h"

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;

constexpr SharedBodies::Key kKey{0, 7};

class SharedBodiesTest : public testing::Test {
 protected:
  struct Waited {
    bool answered = false;
    bool woken = false;
  };
  static async::Task<void> wait(SharedBodies& bodies, Instant deadline, async::StopSignal& stop,
                                Waited& waited) {
    waited.woken = co_await bodies.wait(kKey, deadline, stop);
    waited.answered = true;
  }
  void wait(Waited& waited, Duration patience = 1h) {
    loop_.spawn(wait(bodies_, loop_.shard().now() + patience, stop_, waited));
    settle();
  }
  void settle() {
    while (loop_.shard().poll() != 0) {
    }
  }
  SharedBodies::BodyPtr read(SharedBodies::Key key, std::string_view octets) {
    auto reading = bodies_.begin(key);
    EXPECT_TRUE(reading);
    return reading->done(Rope(Bytes::copy_of(octets)), budget_.try_take(octets.size()));
  }

  async::VirtualLoop loop_;
  async::StopSignal stop_;
  observe::Metrics metrics_;
  ContentBudget budget_{100, metrics_};
  SharedBodies bodies_;
};

TEST_F(SharedBodiesTest, LivesAndCountsOnceAsLongAsSomebodyHasIt) {
  EXPECT_EQ(bodies_.find(kKey), nullptr);
  SharedBodies::BodyPtr first = read(kKey, "octets");
  SharedBodies::BodyPtr second = bodies_.find(kKey);
  EXPECT_EQ(second, first);
  EXPECT_EQ(second->octets.to_string(), "octets");
  EXPECT_EQ(bodies_.find({1, 7}), nullptr);
  EXPECT_EQ(bodies_.find({0, 8}), nullptr);
  EXPECT_EQ(budget_.bytes(), 6U);
  first.reset();
  EXPECT_EQ(budget_.bytes(), 6U);
  second.reset();
  EXPECT_EQ(budget_.bytes(), 0U);
  EXPECT_EQ(bodies_.find(kKey), nullptr);
  EXPECT_EQ(bodies_.size(), 0U);
}

TEST_F(SharedBodiesTest, OneReadsAndTheOthersWait) {
  auto reading = bodies_.begin(kKey);
  ASSERT_TRUE(reading);
  EXPECT_FALSE(bodies_.begin(kKey));
  EXPECT_TRUE(bodies_.begin({0, 8})) << "another body";
  Waited one;
  Waited two;
  wait(one);
  wait(two);
  EXPECT_FALSE(one.answered || two.answered);
  const auto body = reading->done(Rope(Bytes::of_static("octets")), budget_.try_take(6));
  settle();
  EXPECT_TRUE(one.woken && two.woken);
  EXPECT_EQ(bodies_.find(kKey), body);
}

TEST_F(SharedBodiesTest, WhoGivesUpLeavesItToTheNext) {
  auto reading = bodies_.begin(kKey);
  Waited other;
  wait(other);
  reading.reset();
  settle();
  EXPECT_TRUE(other.woken);
  EXPECT_EQ(bodies_.find(kKey), nullptr);
  EXPECT_TRUE(bodies_.begin(kKey));
  EXPECT_EQ(bodies_.size(), 0U) << "that one gave up too";
}

TEST_F(SharedBodiesTest, AWaitEndsAtItsDeadlineAndAtTheStop) {
  auto reading = bodies_.begin(kKey);
  Waited now;
  wait(now, 0s);
  EXPECT_TRUE(now.answered);
  EXPECT_FALSE(now.woken);
  Waited stopped;
  wait(stopped);
  EXPECT_FALSE(stopped.answered);
  stop_.request();
  settle();
  EXPECT_TRUE(stopped.answered);
  EXPECT_FALSE(stopped.woken);
  Waited late;
  wait(late);
  EXPECT_TRUE(late.answered);
  EXPECT_FALSE(late.woken);
  reading.reset();  // nobody is told who does not wait any more
  settle();
}

TEST_F(SharedBodiesTest, NobodyReadsNobodyWaits) {
  Waited waited;
  wait(waited);
  EXPECT_TRUE(waited.answered);
  EXPECT_TRUE(waited.woken);
}

}  // namespace
}  // namespace godwit::sender
