#include "common/async/event.h"

#include <utility>

#include "common/base/check.h"

namespace godwit::async {

void Event::notify() {
  if (waiter_) {
    resume(true);
  } else {
    notified_ = true;
  }
}

namespace {

Task<bool> at_once(bool notified) {
  co_return notified;
}

}  // namespace

// No coroutine itself: who waits has the frame of the wait alone.
Task<bool> Event::wait(Instant deadline) {
  if (std::exchange(notified_, false)) return at_once(true);
  Shard& shard = Shard::current();
  if (deadline <= shard.now()) return at_once(false);
  CHECK(!waiter_, "two tasks wait for one event");
  shard.set_timer(deadline_, deadline);
  return asio::async_initiate<const UseAwaitable, void(bool)>(
      [this](Handler handler) { waiter_.emplace(std::move(handler)); }, kAwait);
}

void Event::resume(bool notified) {
  deadline_.cancel();
  Handler handler = *std::move(waiter_);
  waiter_.reset();
  // Posted: whoever notifies goes on first, and no stack grows from waiter to waiter.
  const Executor executor = handler.get_executor();
  asio::post(executor,
             [handler = std::move(handler), notified]() mutable { std::move(handler)(notified); });
}

}  // namespace godwit::async
