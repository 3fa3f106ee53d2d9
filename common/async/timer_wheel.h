#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/clock.h"

namespace godwit::async {

// Deadlines of one shard: O(1) to set and to cancel, no allocation, one kernel timer for them all.
//
// Precision  a timer fires at its deadline or up to one kTick later, never before.
// Limits     any number of timers, any distance; one further away than a turn of the wheel (65 s)
//            is looked at once a turn.
// Threads    belongs to one thread. Pure: the owner says what time it is, so tests can turn it.
class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(16);
  static constexpr std::size_t kSlots = 4096;

  // What is told when its time has come. Embed it in the object that waits; destroying it cancels
  // it. expired() may set and cancel timers, this one too, and may destroy this one.
  class Timer {
   public:
    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    [[nodiscard]] bool is_set() const { return wheel_ != nullptr; }
    [[nodiscard]] Instant deadline() const { return deadline_; }
    void cancel();

   protected:
    virtual ~Timer() { cancel(); }
    virtual void expired() = 0;

   private:
    friend class TimerWheel;
    TimerWheel* wheel_ = nullptr;
    Timer* previous_ = nullptr;
    Timer* next_ = nullptr;
    Instant deadline_{};
    std::uint32_t slot_ = 0;
  };

  explicit TimerWheel(Instant now);
  ~TimerWheel();  // cancels what is set
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Sets (or moves) a timer. A deadline that has passed fires at the next tick, never inside set().
  // Instant::max() means never: the timer is not set.
  void set(Timer& timer, Instant deadline);

  // Fires everything due at `now`, which never goes back. Returns how many fired.
  std::size_t advance(Instant now);

  // When advance() should be called next; nothing when no timer is set. Early by whole turns for
  // far timers.
  [[nodiscard]] std::optional<Instant> next() const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  using Tick = std::uint64_t;
  [[nodiscard]] Tick tick_of(Instant deadline) const;
  void unlink(Timer& timer);
  void link(Timer& timer, std::uint32_t slot);

  Instant start_;
  Tick current_ = 0;  // everything due at or before this tick has fired
  std::size_t size_ = 0;
  std::vector<Timer*> heads_;
  std::array<std::uint64_t, kSlots / 64> occupied_{};
};

}  // namespace godwit::async
