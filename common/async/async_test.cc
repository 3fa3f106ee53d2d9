#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/completion.h"
#include "common/async/event.h"
#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/sleep.h"
#include "common/async/stop_signal.h"
#include "common/async/test_loop.h"

namespace godwit::async {
namespace {

using namespace std::chrono_literals;

Task<int> answer() {
  co_return 42;
}

TEST(TaskTest, RunsInATest) {
  EXPECT_EQ(run_task(answer()), 42);
}

// completion
// ------------------------------------------------------------------------------------------------

Task<std::string> completed_by_thread(std::thread& thread) {
  co_return co_await completion<std::string>([&](auto done) {
    thread = std::thread([done = std::move(done)]() mutable { done("from elsewhere"); });
  });
}

TEST(CompletionTest, ResumesOnItsShardWhenAnotherThreadAnswers) {
  std::thread thread;
  EXPECT_EQ(run_task(completed_by_thread(thread)), "from elsewhere");
  thread.join();
}

Task<bool> completed_inside() {
  bool inside = true;
  const bool resumed_inside = co_await completion<bool>([&](auto done) {
                                done(true);
                                inside = false;
                              }) &&
                              inside;
  co_return resumed_inside;
}

TEST(CompletionTest, NeverResumesInsideTheCall) {
  EXPECT_FALSE(run_task(completed_inside()));
}

Task<std::unique_ptr<int>> completed_with_move_only() {
  co_return co_await completion<std::unique_ptr<int>>(
      [](auto done) { done(std::make_unique<int>(7)); });
}

TEST(CompletionTest, CarriesWhatCanOnlyBeMoved) {
  EXPECT_EQ(*run_task(completed_with_move_only()), 7);
}

struct Local {
  bool& destroyed;
  ~Local() { destroyed = true; }
};

Task<void> never_completed(bool& destroyed) {
  const Local local{destroyed};
  co_await completion<int>([](auto done) { auto dropped = std::move(done); });
}

TEST(CompletionTest, ADroppedCallbackEndsTheTask) {
  bool destroyed = false;
  TestLoop loop;
  loop.spawn(never_completed(destroyed));
  loop.drive([&] { return loop.gate().count() == 0; });
  EXPECT_TRUE(destroyed);
}

// event and sleep
// ---------------------------------------------------------------------------------------------

Task<bool> wait_for(Event& event, Duration limit) {
  co_return co_await event.wait(Shard::current().now() + limit);
}

TEST(EventTest, RemembersOneNotification) {
  VirtualLoop loop;
  Event event;
  event.notify();
  event.notify();
  EXPECT_TRUE(loop.run(wait_for(event, 1s)));
  EXPECT_FALSE(loop.run(wait_for(event, 1s)));
}

Task<void> notify_after(Event& event, Duration delay) {
  co_await sleep_for(delay);
  event.notify();
}

TEST(EventTest, WakesTheWaiterBeforeItsDeadline) {
  VirtualLoop loop;
  Event event;
  const Instant before = loop.clock().instant();
  loop.spawn(notify_after(event, 10s));
  EXPECT_TRUE(loop.run(wait_for(event, 1h)));
  EXPECT_LT(loop.clock().instant() - before, 11s);
  EXPECT_EQ(loop.shard().timers().size(), 0U) << "the deadline stays behind";
}

TEST(EventTest, DeadlinePasses) {
  VirtualLoop loop;
  Event event;
  const Instant before = loop.clock().instant();
  EXPECT_FALSE(loop.run(wait_for(event, 1h)));
  EXPECT_GE(loop.clock().instant() - before, 1h);
  EXPECT_FALSE(loop.run(wait_for(event, -1s))) << "a deadline that has passed";
}

Task<bool> sleep_on(Sleeper& sleeper, Duration time) {
  co_return co_await sleeper.sleep_until(Shard::current().now() + time);
}

TEST(SleeperTest, WakeEndsThisAndLaterSleeps) {
  VirtualLoop loop;
  Sleeper sleeper;
  EXPECT_TRUE(loop.run(sleep_on(sleeper, 1s)));
  const Instant before = loop.clock().instant();
  loop.shard().post([&] { sleeper.wake(); });
  EXPECT_FALSE(loop.run(sleep_on(sleeper, 1h)));
  EXPECT_FALSE(loop.run(sleep_on(sleeper, 1h)));
  EXPECT_LT(loop.clock().instant() - before, 1s);
}

TEST(SleepTest, RealTimeIsDrivenByTheKernel) {
  Shards shards(1);
  shards.start();
  Gate gate;
  const Instant before = std::chrono::steady_clock::now();
  ASSERT_TRUE(shards.at(0).spawn(sleep_for(50ms), gate));
  gate.close_and_wait();
  EXPECT_GE(std::chrono::steady_clock::now() - before, 50ms);
}

// gate
// -------------------------------------------------------------------------------------------------

TEST(GateTest, ClosedLetsNothingIn) {
  TestLoop loop;
  Gate gate;
  Gate::Pass inside = gate.try_enter();
  EXPECT_TRUE(inside);
  gate.shut();
  EXPECT_FALSE(gate.try_enter());
  bool destroyed = false;
  EXPECT_FALSE(loop.shard().spawn(never_completed(destroyed), gate));
  EXPECT_EQ(gate.count(), 1U);
}

Task<void> close_into(Gate& gate, bool& closed) {
  co_await gate.close();
  closed = true;
}

TEST(GateTest, CloseWaitsForTheLast) {
  TestLoop loop;
  Gate gate;
  Gate::Pass first = gate.try_enter();
  Gate::Pass second = gate.try_enter();
  bool closed = false;
  bool closed_too = false;
  loop.spawn(close_into(gate, closed));
  loop.spawn(close_into(gate, closed_too));
  loop.drive([&] { return gate.closed(); });
  {
    const Gate::Pass gone = std::move(first);
  }
  for (int i = 0; i < 10; ++i) loop.shard().poll();
  EXPECT_FALSE(closed);
  std::thread([last = std::move(second)] {}).join();  // leaves on another thread
  loop.drive([&] { return closed && closed_too; });
  loop.run(gate.close());  // again: at once
}

Task<void> hop(std::atomic<int>& count) {
  co_await sleep_for(1ms);
  ++count;
}

TEST(GateTest, CountsTasksOfAllShards) {
  Shards shards(3);
  shards.start();
  Gate gate;
  std::atomic<int> count = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(shards.at(static_cast<std::size_t>(i) % 3).spawn(hop(count), gate));
  }
  gate.close_and_wait();
  EXPECT_EQ(count, 300);
  shards.stop();
  shards.stop();
}

// stop signal
// -------------------------------------------------------------------------------------------------

TEST(StopSignalTest, CallsEachOnceAndLateComersAtOnce) {
  StopSignal signal;
  int calls = 0;
  {
    StopSignal::Callback first(signal, [&] { ++calls; });
    {
      StopSignal::Callback gone(signal, [&] { calls += 100; });
    }
    StopSignal::Callback last(signal, [&] { ++calls; });
    signal.request();
    signal.request();
    EXPECT_EQ(calls, 2);
    StopSignal::Callback late(signal, [&] { ++calls; });
    EXPECT_EQ(calls, 3);
  }
  EXPECT_TRUE(signal.requested());
}

TEST(StopSignalTest, ACallbackMayEndOthers) {
  StopSignal signal;
  int calls = 0;
  auto other = std::make_unique<StopSignal::Callback>(signal, [&] { calls += 100; });
  StopSignal::Callback ender(signal, [&] {
    ++calls;
    other.reset();
  });
  signal.request();
  EXPECT_EQ(calls, 1);
}

// shard
// -------------------------------------------------------------------------------------------------

TEST(ShardTest, PostedWorkRunsInOrderOnItsThread) {
  Shards shards(2);
  shards.start();
  std::vector<int> order;
  std::promise<bool> on_shard;
  for (int i = 0; i < 100; ++i) shards.at(1).post([&order, i] { order.push_back(i); });
  shards.at(1).post([&] { on_shard.set_value(&Shard::current() == &shards.at(1)); });
  EXPECT_TRUE(on_shard.get_future().get());
  shards.stop();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_FALSE(Shard::is_current(&shards.at(1)));
}

TEST(ShardTest, PollOneRunsOneStep) {
  ManualClock clock;
  Shard shard(0, clock);
  std::vector<int> order;
  shard.post([&] { order.push_back(1); });
  shard.post([&] { order.push_back(2); });
  EXPECT_EQ(shard.poll_one(), 1U);
  EXPECT_EQ(order, (std::vector<int>{1}));
  Gate gate;
  shard.spawn(sleep_for(std::chrono::milliseconds(20)), gate);
  while (shard.poll_one() != 0) {
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(gate.count(), 1U);
  clock.advance(std::chrono::milliseconds(40));
  EXPECT_EQ(shard.poll_one(), 1U) << "the timer, which only posts";
  EXPECT_EQ(gate.count(), 1U);
  while (shard.poll_one() != 0) {
  }
  EXPECT_EQ(gate.count(), 0U);
}

Task<void> throws() {
  co_await sleep_for(Duration::zero());
  throw std::runtime_error("not a Result");
}

TEST(ShardDeathTest, AnExceptionThatLeavesATaskEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run_task(throws()), "an exception left a task: not a Result");
}

// pool
// -------------------------------------------------------------------------------------------------

Task<Result<int>> run_on(BlockingPool& pool, int value) {
  co_return co_await pool.run([value] { return value + 1; });
}
Task<Result<void>> run_failing(BlockingPool& pool) {
  co_return co_await pool.run(
      []() -> Result<void> { return fail(std::make_error_code(std::errc::io_error)); });
}

TEST(BlockingPoolTest, ReturnsValuesAndErrors) {
  BlockingPool pool("test", 2, 10);
  EXPECT_EQ(*run_task(run_on(pool, 1)), 2);
  EXPECT_EQ(run_task(run_failing(pool)).error().code, std::errc::io_error);
}

TEST(BlockingPoolTest, WithoutThreadsTheCallerWorks) {
  BlockingPool pool("test", 0, 0);
  bool done = false;
  ASSERT_TRUE(pool.submit([&] { done = true; }));
  EXPECT_TRUE(done);
  EXPECT_EQ(*run_task(run_on(pool, 1)), 2);
  pool.stop();
  EXPECT_EQ(run_task(run_on(pool, 1)).error().code, Errc::kClosed);
}

TEST(BlockingPoolTest, FullIsBusyAndStoppedIsClosed) {
  BlockingPool pool("test", 1, 1);
  std::promise<void> release;
  std::promise<void> started;
  std::atomic<int> done = 0;
  ASSERT_TRUE(pool.submit([&] {
    started.set_value();
    release.get_future().wait();
    ++done;
  }));
  started.get_future().wait();
  ASSERT_TRUE(pool.submit([&] { ++done; }));
  EXPECT_EQ(pool.queued(), 1U);
  EXPECT_EQ(run_task(run_on(pool, 1)).error().code, Errc::kBusy);
  release.set_value();
  pool.stop();
  EXPECT_EQ(done, 2) << "what was taken is finished";
  EXPECT_EQ(run_task(run_on(pool, 1)).error().code, Errc::kClosed);
}

}  // namespace
}  // namespace godwit::async
