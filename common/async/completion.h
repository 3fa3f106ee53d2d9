#pragma once

#include <functional>
#include <utility>

#include "common/async/task.h"

namespace godwit::async {

// Awaits an interface that answers by callback:
//
//     auto written = co_await async::completion<Result<log::Written>>(
//         [&](auto done) { producer.append(std::move(records), std::move(done)); });
//
// `initiate` is called once, at once, on the shard; it gets a std::move_only_function<void(T)>, to
// be called exactly once, from any thread, inside `initiate` too. The task resumes on its shard,
// never inside the call. A callback that is destroyed uncalled destroys the waiting task (its
// locals, its gate's pass), on its shard.
template <class T, class Initiate>
[[nodiscard]] Task<T> completion(Initiate initiate) {
  const Executor executor = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const UseAwaitable, void(T)>(
      [executor](auto handler, Initiate start) {
        start(std::move_only_function<void(T)>([executor,
                                                handler = std::move(handler)](T value) mutable {
          asio::post(executor, [handler = std::move(handler), value = std::move(value)]() mutable {
            std::move(handler)(std::move(value));
          });
        }));
      },
      kAwait, std::move(initiate));
}

}  // namespace godwit::async
