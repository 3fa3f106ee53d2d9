#pragma once

#include "common/async/task.h"

namespace godwit::async {

// Lets everything that is ready on the task's shard run once, then the task goes on: for loops that would
// otherwise keep the shard for themselves.
[[nodiscard]] inline Task<void> give_way() {
  co_await asio::post(co_await asio::this_coro::executor, kAwait);
}

}  // namespace godwit::async
