#include "common/log/intake.h"

#include <algorithm>

namespace godwit::log {

Intake::~Intake() {
  (void)take();
}

void Intake::push(WritePtr write) {
  Write* const added = write.release();
  Write* before = newest_.load(std::memory_order_relaxed);
  do {
    added->next = before;
  } while (!newest_.compare_exchange_weak(before, added, std::memory_order_release,
                                          std::memory_order_relaxed));
  // Only who finds it empty wakes the commit thread; what follows is gathered with it. The mutex makes sure
  // that wait() has either seen the write or sleeps already.
  if (before == nullptr) {
    {
      const std::lock_guard lock(mutex_);
    }
    condition_.notify_one();
  }
}

std::vector<WritePtr> Intake::take() {
  std::vector<WritePtr> writes;
  Write* at = newest_.exchange(nullptr, std::memory_order_acq_rel);
  for (; at != nullptr; at = at->next) writes.emplace_back(at);
  std::ranges::reverse(writes);
  return writes;
}

void Intake::wait(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  condition_.wait_until(lock, until, [this] {
    return newest_.load(std::memory_order_acquire) != nullptr || stopped();
  });
}

void Intake::stop() {
  const std::lock_guard lock(mutex_);
  stopped_.store(true, std::memory_order_release);
  condition_.notify_one();
}

}  // namespace godwit::log
