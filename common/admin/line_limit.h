#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace godwit::admin {

// Lines of the log about what anybody who reaches the service can cause: one a second at most.
//
// Threads  any
class LineLimit {
 public:
  static constexpr std::chrono::milliseconds kApart{1'000};

  // How many there were since the last line, this one included; 0: not a line now.
  [[nodiscard]] std::uint64_t count(Timestamp now) {
    ++since_line_;
    const std::int64_t now_ms = to_unix_ms(now);
    std::int64_t next = next_ms_;
    if (now_ms < next && next - now_ms <= kApart.count()) return 0;  // a clock may be set back
    if (!next_ms_.compare_exchange_strong(next, now_ms + kApart.count())) return 0;
    return since_line_.exchange(0);
  }

 private:
  std::atomic<std::int64_t> next_ms_{0};
  std::atomic<std::uint64_t> since_line_{0};
};

}  // namespace godwit::admin
