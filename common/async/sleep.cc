#include "common/async/sleep.h"

namespace godwit::async {

Task<void> sleep_until(Instant time) {
  Event never;
  co_await never.wait(time);
}

Task<void> sleep_for(Duration duration) {
  co_await sleep_until(Shard::current().now() + duration);
}

Task<bool> Sleeper::sleep_until(Instant time) {
  if (woken_) co_return false;
  co_await event_.wait(time);
  co_return !woken_;
}

}  // namespace godwit::async
