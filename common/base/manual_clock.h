#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace godwit {

// A clock that stands still until it is told to move. For tests and the simulation.
// Threads: any; advance() is atomic.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = from_unix_ms(1'767'225'600'000)) : start_(start) {}

  [[nodiscard]] Timestamp now() const override {
    return start_ + std::chrono::floor<std::chrono::milliseconds>(elapsed());
  }
  [[nodiscard]] Instant instant() const override {
    return Instant{} + std::chrono::hours{1} + elapsed();
  }

  void advance(Duration by) { elapsed_ticks_ += by.count(); }

 private:
  [[nodiscard]] Duration elapsed() const { return Duration{elapsed_ticks_.load()}; }

  Timestamp start_;
  std::atomic<Duration::rep> elapsed_ticks_{0};
};

}  // namespace godwit
