#include "common/role/end_limit.h"

#include <utility>

namespace godwit::role {

EndLimit::EndLimit(std::chrono::milliseconds bound, std::function<void()> over)
    : thread_([this, bound, over = std::move(over)] {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, bound, [this] { return ended_; })) over();
      }) {}

EndLimit::~EndLimit() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace godwit::role
