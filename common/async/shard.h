#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/async/gate.h"
#include "common/async/task.h"
#include "common/async/timer_wheel.h"
#include "common/base/clock.h"

namespace godwit::async {

// One event loop and, once started, the one thread that runs it. A connection, its timers and its
// coroutines live on one shard for their whole life; nothing on a shard needs a lock against its
// shard-mates.
//
// Lifecycle  construct; run() on a thread of the caller's choice (Shards does it); stop() ends
//            run(). What is spawned must have ended before stop(): close the gates first.
// Threads    post(), spawn() and stop() may be called from any thread; everything else on the
//            shard's own.
class Shard {
 public:
  explicit Shard(std::size_t index, const Clock& clock = system_clock());
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // The shard whose thread this is; CHECKs that there is one.
  [[nodiscard]] static Shard& current();
  [[nodiscard]] static bool is_current(const Shard* shard);

  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] Instant now() const { return clock_.instant(); }
  [[nodiscard]] Executor executor() { return context_.get_executor(); }

  // Runs `work` on the shard, later, in the order of posting. Unbounded: post completions, not
  // load.
  void post(std::move_only_function<void()> work);

  // Starts a task on the shard and counts it in `gate` until it has ended. False, and the task
  // never starts, when the gate is closed.
  bool spawn(Task<void> task, Gate& gate);

  // Sets a timer, and moves the kernel's timer when it is the earliest. Cancel through the timer
  // itself.
  void set_timer(TimerWheel::Timer& timer, Instant deadline);
  [[nodiscard]] const TimerWheel& timers() const { return timers_; }

  // Runs what becomes ready until stop().
  void run();
  void stop();
  // For tests and the simulation, instead of run(): runs what is ready now, due timers too; never
  // waits. Returns how much there was.
  std::size_t poll();
  // The same, but at most one step: the timers that are due, or else one handler.
  std::size_t poll_one();

 private:
  void arm();
  void fire();

  const std::size_t index_;
  const Clock& clock_;
  const bool real_time_;  // else nobody but poll() moves the timers
  asio::io_context context_{1};
  asio::executor_work_guard<Executor> work_{context_.get_executor()};
  TimerWheel timers_;
  SteadyTimer kernel_timer_{context_};
  Instant armed_ = Instant::max();
};

// The shards of a process, one a core.
// Lifecycle  start() makes the threads ("shard-0"...); stop() ends and joins them; idempotent.
// Close every gate before.
class Shards {
 public:
  // 0: as many as the process may use CPUs.
  explicit Shards(std::size_t count = 0, const Clock& clock = system_clock());
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  void start();
  void stop();
  [[nodiscard]] std::size_t size() const { return shards_.size(); }
  [[nodiscard]] Shard& at(std::size_t index) { return *shards_.at(index); }

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace godwit::async
