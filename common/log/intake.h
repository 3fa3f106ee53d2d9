#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "common/log/write.h"

namespace godwit::log {

// Where many threads leave writes and the commit thread gathers all that are there.
//
// Threads  push(), stop() any; take(), wait() the commit thread. A push is one compare-and-swap; only one that
//          finds the intake empty touches the mutex, to wake the commit thread
class Intake {
 public:
  Intake() = default;
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  void push(WritePtr write);
  // Everything that was pushed, in order (of each thread's pushes).
  [[nodiscard]] std::vector<WritePtr> take();
  // Returns when something is there, after stop(), or at `until`.
  void wait(std::chrono::steady_clock::time_point until);
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_acquire); }

 private:
  std::atomic<Write*> newest_{nullptr};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::condition_variable condition_;
};

}  // namespace godwit::log
