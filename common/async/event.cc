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

Task<bool> Event::wait(Instant deadline) {
  if (std::exchange(notified_, false)) co_return true;
  Shard& shard = Shard::current();
  if (deadline <= shard.now()) co_return false;
  CHECK(!waiter_, "two tasks wait for one event");
  shard.set_timer(deadline_, deadline);
  co_return co_await asio::async_initiate<const UseAwaitable, void(bool)>(
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
