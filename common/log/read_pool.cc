#include "common/log/read_pool.h"

#include <utility>

namespace godwit::log {

ReadPool::ReadPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

ReadPool::~ReadPool() {
  stop();
}

void ReadPool::stop() {
  std::deque<Job> refused;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    refused.swap(jobs_);
    condition_.notify_all();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  for (Job& job : refused) job.done(fail(Errc::kClosed));
}

void ReadPool::read(RunRead run, Offset offset, ReadDone done) {
  Errc refusal{};
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      refusal = Errc::kClosed;
    } else if (jobs_.size() >= kWaitingMax) {
      refusal = Errc::kUnavailable;
    } else {
      jobs_.push_back({std::move(run), offset, std::move(done)});
      condition_.notify_one();
      return;
    }
  }
  done(fail(refusal, "read_at"));
}

void ReadPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    condition_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    auto records = read_run(job.run);
    if (records) {
      job.done(std::move((*records)[static_cast<std::size_t>(job.offset - job.run.first)]));
    } else {
      job.done(fail(std::move(records).error()));
    }
    job = {};
    lock.lock();
  }
}

}  // namespace godwit::log
