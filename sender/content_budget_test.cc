#include "sender/content_budget.h"

#include <gtest/gtest.h>

#include <optional>

#include "common/async/test_loop.h"

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;

class ContentBudgetTest : public testing::Test {
 protected:
  struct Asked {
    bool answered = false;
    ContentBudget::Share share;
  };
  static async::Task<void> ask(ContentBudget& budget, async::Shard& shard, std::uint64_t bytes,
                               Instant deadline, async::StopSignal& stop, Asked& asked) {
    asked.share = co_await budget.take(shard, bytes, deadline, stop);
    asked.answered = true;
  }
  void ask(std::uint64_t bytes, Asked& asked, Duration patience = 1h) {
    loop_.spawn(ask(budget_, loop_.shard(), bytes, loop_.shard().now() + patience, stop_, asked));
    settle();
  }
  void settle() {
    while (loop_.shard().poll() != 0) {
    }
  }

  async::VirtualLoop loop_;
  async::StopSignal stop_;
  observe::Metrics metrics_;
  ContentBudget budget_{100, metrics_};
};

TEST_F(ContentBudgetTest, GivesWhatThereIsAndNoMore) {
  auto first = budget_.try_take(60);
  EXPECT_TRUE(first);
  EXPECT_FALSE(budget_.try_take(41));
  auto second = budget_.try_take(40);
  EXPECT_TRUE(second);
  EXPECT_EQ(budget_.bytes(), 100U);
  first = {};
  EXPECT_EQ(budget_.bytes(), 40U);
}

TEST_F(ContentBudgetTest, AWaitEndsWhenSomethingComesBackInOrder) {
  auto all = budget_.try_take(100);
  Asked large;
  Asked small;
  ask(80, large);
  ask(10, small);
  EXPECT_EQ(budget_.waiting(), 2U);
  EXPECT_FALSE(budget_.try_take(0)) << "nobody passes those who wait";
  all = {};
  settle();
  EXPECT_TRUE(large.share);
  EXPECT_TRUE(small.share);
  EXPECT_EQ(budget_.bytes(), 90U);
}

TEST_F(ContentBudgetTest, SmallContentDoesNotPassLarge) {
  auto half = budget_.try_take(50);
  auto other = budget_.try_take(50);
  Asked large;
  Asked small;
  ask(80, large);
  ask(10, small);
  half = {};
  settle();
  EXPECT_FALSE(large.answered);
  EXPECT_FALSE(small.answered);
  other = {};
  settle();
  EXPECT_TRUE(large.share);
  EXPECT_TRUE(small.share);
}

TEST_F(ContentBudgetTest, WhatIsLargerThanAllGoesAlone) {
  auto huge = budget_.try_take(1000);
  EXPECT_TRUE(huge);
  EXPECT_FALSE(budget_.try_take(1));
  huge = {};
  auto little = budget_.try_take(1);
  EXPECT_FALSE(budget_.try_take(1000));
}

TEST_F(ContentBudgetTest, AWaitEndsAtItsDeadlineAndLetsOthersPass) {
  auto half = budget_.try_take(50);
  Asked large;
  Asked small;
  ask(80, large, 1s);
  ask(10, small);
  loop_.drive([&] { return large.answered; });
  settle();
  EXPECT_FALSE(large.share);
  EXPECT_TRUE(small.share);
}

TEST_F(ContentBudgetTest, AWaitEndsWhenItIsStopped) {
  auto all = budget_.try_take(100);
  Asked asked;
  ask(10, asked);
  stop_.request();
  settle();
  EXPECT_TRUE(asked.answered);
  EXPECT_FALSE(asked.share);
  EXPECT_EQ(budget_.waiting(), 0U);
  Asked late;
  ask(10, late);
  EXPECT_TRUE(late.answered) << "after a stop it only tries";
}

}  // namespace
}  // namespace godwit::sender
