#pragma once

#include "common/async/event.h"
#include "common/async/task.h"

namespace godwit::async {

// Suspends the task until `time` of its shard's clock (precision: TimerWheel). Cannot be cut short;
// what must end early waits on an Event with a deadline, or on a Sleeper.
[[nodiscard]] Task<void> sleep_until(Instant time);
[[nodiscard]] Task<void> sleep_for(Duration duration);

// A sleep that stop() can end: wake() now or before makes the current and every later sleep return
// at once.
// Threads  belongs to one shard.
class Sleeper {
 public:
  // True after the full time, false when woken.
  [[nodiscard]] Task<bool> sleep_until(Instant time);
  void wake() {
    woken_ = true;
    event_.notify();
  }

 private:
  bool woken_ = false;
  Event event_;
};

}  // namespace godwit::async
