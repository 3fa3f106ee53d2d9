#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace godwit::log {

// What the keeper knows of the room on the disk, for the commit thread and for whoever appends.
//
// Threads  report() the keeper; the others any
class Space {
 public:
  // May a write from outside be taken? False: only the reserve is left.
  [[nodiscard]] bool outside_open() const { return outside_open_.load(std::memory_order_relaxed); }
  // The disk has no room for another segment.
  [[nodiscard]] bool exhausted() const { return exhausted_.load(std::memory_order_relaxed); }

  // No segment can be made because the disk fails, not because it is full.
  [[nodiscard]] bool disk_fails() const { return disk_fails_.load(std::memory_order_relaxed); }

  void report(bool exhausted, bool outside_open, bool disk_fails) {
    const std::lock_guard lock(mutex_);
    disk_fails_ = disk_fails;
    exhausted_ = exhausted;
    outside_open_ = outside_open;
    ++reports_;
    reported_.notify_all();
  }

  // Asks the keeper to look now, and waits for its answer, at most `bound`.
  void ask(std::chrono::milliseconds bound) {
    std::unique_lock lock(mutex_);
    const std::uint64_t before = reports_;
    asked_ = true;
    wanted_.notify_all();
    reported_.wait_for(lock, bound, [&] { return reports_ != before; });
  }
  void nudge() {
    const std::lock_guard lock(mutex_);
    asked_ = true;
    wanted_.notify_all();
  }
  // The keeper's wait: until asked, or `bound` is over.
  void wait_asked(std::chrono::milliseconds bound) {
    std::unique_lock lock(mutex_);
    wanted_.wait_for(lock, bound, [&] { return asked_; });
    asked_ = false;
  }

 private:
  std::atomic<bool> outside_open_{true};
  std::atomic<bool> exhausted_{false};
  std::atomic<bool> disk_fails_{false};
  std::mutex mutex_;
  std::condition_variable reported_;
  std::condition_variable wanted_;
  std::uint64_t reports_ = 0;
  bool asked_ = false;
};

}  // namespace godwit::log
