#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/async/completion.h"
#include "common/async/errc.h"
#include "common/async/task.h"
#include "common/base/result.h"

namespace godwit::async {

namespace detail {
template <class T>
struct AsResult {
  using type = Result<T>;
};
template <class T>
struct AsResult<Result<T>> {
  using type = Result<T>;
};
}  // namespace detail

// Threads for what blocks or burns: file I/O, RocksDB scans, password hashes, signatures.
//
// Bounds     `threads` at work and `queue_max` waiting; beyond that run() answers Errc::kBusy at
//            once and the caller decides (a session says 451, a background job comes again).
// Ordering   first come, first served; no order between threads.
// Lifecycle  threads start with the pool; stop() refuses new work (kClosed), finishes what is
//            queued and joins. Idempotent; the destructor calls it.
// Threads    any. A pool of 0 threads runs all work on the caller's, inside submit() and run(): for
//            the simulation, where nothing may happen beside its one thread.
class BlockingPool {
 public:
  BlockingPool(std::string name, std::size_t threads, std::size_t queue_max);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` on a thread of the pool and resumes the task on its shard with what it returned.
  // `work` returning T or Result<T> gives Result<T>. What it borrows must live until the task
  // resumes.
  template <class Work>
  [[nodiscard]] auto run(Work work)
      -> Task<typename detail::AsResult<std::invoke_result_t<Work&>>::type>;

  // Without waiting for it. Errors: kBusy, kClosed: `work` was not taken.
  [[nodiscard]] Result<void> submit(std::move_only_function<void()> work);

  void stop();
  [[nodiscard]] std::size_t queued() const;

 private:
  void work_loop();

  const std::size_t queue_max_;
  const bool inline_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::move_only_function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

template <class Work>
auto BlockingPool::run(Work work)
    -> Task<typename detail::AsResult<std::invoke_result_t<Work&>>::type> {
  using Returned = typename detail::AsResult<std::invoke_result_t<Work&>>::type;
  co_return co_await completion<Returned>([this, &work](auto done) {
    // `done` is shared so that a refusal can still be answered through it.
    auto answer = std::make_shared<decltype(done)>(std::move(done));
    Result<void> taken = submit([&work, answer] {
      if constexpr (std::is_void_v<std::invoke_result_t<Work&>>) {
        work();
        (*answer)(Returned{});
      } else {
        (*answer)(Returned(work()));
      }
    });
    if (!taken) (*answer)(fail(std::move(taken).error()));
  });
}

}  // namespace godwit::async
