#include "common/async/blocking_pool.h"

#include <pthread.h>

namespace godwit::async {

BlockingPool::BlockingPool(std::string name, std::size_t threads, std::size_t queue_max)
    : queue_max_(queue_max), inline_(threads == 0) {
  name.resize(std::min<std::size_t>(name.size(), 15));  // the kernel's limit on thread names
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] {
      pthread_setname_np(pthread_self(), name.c_str());
      work_loop();
    });
  }
}

BlockingPool::~BlockingPool() {
  stop();
}

Result<void> BlockingPool::submit(std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(Errc::kClosed);
    if (!inline_ && queue_.size() >= queue_max_) return fail(Errc::kBusy);
    if (!inline_) queue_.push_back(std::move(work));
  }
  if (inline_) {
    work();
    return {};
  }
  wake_.notify_one();
  return {};
}

void BlockingPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::size_t BlockingPool::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void BlockingPool::work_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::move_only_function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it owns goes before the lock comes back
    lock.lock();
  }
}

}  // namespace godwit::async
