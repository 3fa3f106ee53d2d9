#include "common/async/gate.h"

#include "common/async/completion.h"
#include "common/base/check.h"

namespace godwit::async {

void Gate::Pass::leave() {
  if (Gate* gate = std::exchange(gate_, nullptr)) gate->leave();
}

Gate::~Gate() {
  CHECK(count_ == 0, "a gate was destroyed with {} inside", count_);
}

Gate::Pass Gate::try_enter() {
  const std::lock_guard lock(mutex_);
  if (closed_) return {};
  ++count_;
  return Pass(this);
}

void Gate::leave() {
  std::vector<std::move_only_function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    if (--count_ != 0 || !closed_) return;
    waiting.swap(waiting_);
    empty_.notify_all();
  }
  // Whoever waits may destroy the gate from here on.
  for (auto& wake : waiting) wake();
}

Task<void> Gate::close() {
  shut();
  co_await completion<bool>([this](auto done) {
    {
      const std::lock_guard lock(mutex_);
      if (count_ != 0) {
        waiting_.emplace_back([done = std::move(done)]() mutable { done(true); });
        return;
      }
    }
    done(true);
  });
}

void Gate::close_and_wait() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  empty_.wait(lock, [this] { return count_ == 0; });
}

void Gate::shut() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

bool Gate::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::size_t Gate::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

}  // namespace godwit::async
