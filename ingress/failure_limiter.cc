#include "ingress/failure_limiter.h"

#include <sodium.h>

#include "common/base/check.h"

namespace godwit::ingress {

static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == sizeof(std::uint64_t));

FailureLimiter::FailureLimiter(std::uint32_t failures_max, Duration window, std::size_t entries_max)
    : failures_max_(failures_max), window_(window), entries_max_(entries_max) {
  CHECK(sodium_init() >= 0, "libsodium does not start");
  crypto_shorthash_keygen(hash_key_.data());
}

std::uint64_t FailureLimiter::hash_of(std::string_view key) const {
  std::uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   hash_key_.data());
  return hash;
}

bool FailureLimiter::blocked(std::string_view key, Instant now) const {
  const std::uint64_t hash = hash_of(key);
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(hash);
  return found != entries_.end() && now - found->second.since < window_ &&
         found->second.failures >= failures_max_;
}

bool FailureLimiter::room_for(std::uint64_t hash, Instant now) {
  if (entries_.size() < entries_max_ || entries_.contains(hash)) return true;
  if (now < sweep_at_) return false;
  sweep_at_ = now + window_ / 16;
  std::erase_if(entries_, [&](const auto& entry) { return now - entry.second.since >= window_; });
  return entries_.size() < entries_max_;
}

void FailureLimiter::failed(std::string_view key, Instant now) {
  const std::uint64_t hash = hash_of(key);
  const std::lock_guard lock(mutex_);
  if (!room_for(hash, now)) return;
  Entry& entry = entries_.try_emplace(hash, Entry{now, 0}).first->second;
  if (now - entry.since >= window_) entry = {now, 0};
  ++entry.failures;
}

void FailureLimiter::succeeded(std::string_view key) {
  const std::uint64_t hash = hash_of(key);
  const std::lock_guard lock(mutex_);
  entries_.erase(hash);
}

std::size_t FailureLimiter::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace godwit::ingress
