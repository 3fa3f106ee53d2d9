#pragma once

#include <chrono>
#include <cstdint>

namespace godwit {

// A point in calendar time, to the millisecond, UTC. What records, events and due times carry.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

// A point on a clock that never jumps. What deadlines, timeouts and rates are counted on.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

[[nodiscard]] constexpr std::int64_t to_unix_ms(Timestamp time) {
  return time.time_since_epoch().count();
}
[[nodiscard]] constexpr Timestamp from_unix_ms(std::int64_t ms) {
  return Timestamp{std::chrono::milliseconds{ms}};
}

// Where code that decides gets the time from, so that tests and the simulation can turn it.
// Threads: both functions may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;
  [[nodiscard]] virtual Instant instant() const = 0;
};

// The machine's clocks. One for the process: system_clock().
[[nodiscard]] const Clock& system_clock();

}  // namespace godwit
