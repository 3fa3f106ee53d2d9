#pragma once

#include <optional>

#include "common/async/shard.h"
#include "common/async/task.h"

namespace godwit::async {

// Wakes one waiting task of the same shard. notify() before wait() is remembered, once; several
// notifications before a wait are one: the waiter looks again at what it waits for.
// Threads  belongs to one shard; from elsewhere `shard.post([&] { event.notify(); })`.
// Limits   one waiter at a time (CHECKed). Must outlive its waiter.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void notify();
  // True when notified, false when the deadline (of the shard's clock) passed first.
  [[nodiscard]] Task<bool> wait(Instant deadline = Instant::max());

 private:
  using Handler = asio::async_result<UseAwaitable, void(bool)>::handler_type;
  class Deadline final : public TimerWheel::Timer {
   public:
    explicit Deadline(Event& event) : event_(event) {}

   private:
    void expired() override { event_.resume(false); }
    Event& event_;
  };

  void resume(bool notified);

  bool notified_ = false;
  std::optional<Handler> waiter_;
  Deadline deadline_{*this};
};

}  // namespace godwit::async
