#include "ingress/failure_limiter.h"

namespace godwit::ingress {

bool FailureLimiter::blocked(std::string_view key, Instant now) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(key));
  return found != entries_.end() && now - found->second.since < window_ &&
         found->second.failures >= failures_max_;
}

void FailureLimiter::failed(std::string_view key, Instant now) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= entries_max_) {
    std::erase_if(entries_, [&](const auto& entry) { return now - entry.second.since >= window_; });
    if (entries_.size() >= entries_max_ && !entries_.contains(std::string(key))) return;
  }
  Entry& entry = entries_.try_emplace(std::string(key), Entry{now, 0}).first->second;
  if (now - entry.since >= window_) entry = {now, 0};
  ++entry.failures;
}

void FailureLimiter::succeeded(std::string_view key) {
  const std::lock_guard lock(mutex_);
  entries_.erase(std::string(key));
}

}  // namespace godwit::ingress
