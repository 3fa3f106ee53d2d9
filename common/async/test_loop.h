#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/task.h"
#include "common/base/check.h"
#include "common/base/manual_clock.h"

// For tests: runs coroutines on the test's own thread.
namespace godwit::async {

namespace detail {
template <class T>
Task<void> run_into(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}
inline Task<void> run_flagged(Task<void> task, bool& ended) {
  co_await std::move(task);
  ended = true;
}
}  // namespace detail

// A shard in real time. run(task) drives the loop until the task has ended and returns its value;
// tasks spawned before or inside run on. Aborts, naming the limit, when it takes too long.
class TestLoop {
 public:
  TestLoop() = default;
  ~TestLoop() { close_gate(); }
  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] Gate& gate() { return gate_; }

  template <class T>
  T run(Task<T> task, std::chrono::seconds limit = std::chrono::seconds(60)) {
    std::optional<T> result;
    shard_.spawn(detail::run_into(std::move(task), result), gate_);
    drive([&] { return result.has_value(); }, limit);
    return *std::move(result);
  }
  void run(Task<void> task, std::chrono::seconds limit = std::chrono::seconds(60)) {
    bool ended = false;
    shard_.spawn(detail::run_flagged(std::move(task), ended), gate_);
    drive([&] { return ended; }, limit);
  }
  void spawn(Task<void> task) { shard_.spawn(std::move(task), gate_); }

  // Drives the loop until `done()`.
  template <class Done>
  void drive(Done done, std::chrono::seconds limit = std::chrono::seconds(60)) {
    const Instant end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      CHECK(std::chrono::steady_clock::now() < end, "the test's task did not end within {} s",
            limit.count());
      if (shard_.poll() == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

 private:
  // What a test leaves behind must have an end of its own.
  void close_gate() {
    gate_.shut();
    drive([&] { return gate_.count() == 0; });
  }

  Shard shard_{0};
  Gate gate_;
};

// A shard in virtual time: when nothing is ready the clock jumps to the next timer. For code that
// only waits for timers and events of the same shard; other threads and sockets are not waited for.
class VirtualLoop {
 public:
  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] ManualClock& clock() { return clock_; }
  [[nodiscard]] Gate& gate() { return gate_; }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    shard_.spawn(detail::run_into(std::move(task), result), gate_);
    drive([&] { return result.has_value(); });
    return *std::move(result);
  }
  void run(Task<void> task) {
    bool ended = false;
    shard_.spawn(detail::run_flagged(std::move(task), ended), gate_);
    drive([&] { return ended; });
  }
  void spawn(Task<void> task) { shard_.spawn(std::move(task), gate_); }

  template <class Done>
  void drive(Done done) {
    while (!done()) {
      if (shard_.poll() != 0) continue;
      const std::optional<Instant> next = shard_.timers().next();
      CHECK(next.has_value(), "the test's task waits for something that will not come");
      clock_.advance(std::max(*next - clock_.instant(), Duration::zero()));
    }
  }

 private:
  ManualClock clock_;
  Shard shard_{0, clock_};
  Gate gate_;
};

// One task, real time, a loop of its own.
template <class T>
T run_task(Task<T> task) {
  TestLoop loop;
  return loop.run(std::move(task));
}
inline void run_task(Task<void> task) {
  TestLoop loop;
  loop.run(std::move(task));
}

}  // namespace godwit::async
