#include "ingress/login_cache.h"

#include <sodium.h>

#include <cstdint>

#include "common/base/check.h"

namespace godwit::ingress {

static_assert(crypto_auth_hmacsha256_BYTES == 32 && crypto_auth_hmacsha256_KEYBYTES == 32);

LoginCache::LoginCache(Duration ttl, std::size_t entries_max)
    : ttl_(ttl), entries_max_(entries_max) {
  CHECK(sodium_init() >= 0, "libsodium does not start");
  CHECK(entries_max_ > 0, "a cache of nothing");
  crypto_auth_hmacsha256_keygen(key_.data());
}

LoginCache::~LoginCache() {
  sodium_memzero(key_.data(), key_.size());
}

LoginCache::Mac LoginCache::mac_of(const Login& login) const {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key_.data(), key_.size());
  for (const std::string_view part : {login.username, login.password, login.stored}) {
    // The length first: no two logins have the same octets.
    const std::uint64_t size = part.size();
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(&size),
                                  sizeof size);
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                                  part.size());
  }
  Mac mac;
  crypto_auth_hmacsha256_final(&state, mac.data());
  sodium_memzero(&state, sizeof state);
  return mac;
}

bool LoginCache::holds(const Login& login, Instant now) const {
  if (ttl_ == Duration::zero()) return false;
  const Mac mac = mac_of(login);
  const std::lock_guard lock(mutex_);
  const auto found = by_username_.find(login.username);
  return found != by_username_.end() && now < found->second->ends &&
         sodium_memcmp(found->second->mac.data(), mac.data(), mac.size()) == 0;
}

void LoginCache::remember(const Login& login, Instant now) {
  if (ttl_ == Duration::zero()) return;
  Entry entry{std::string(login.username), mac_of(login), now + ttl_};
  const std::lock_guard lock(mutex_);
  if (const auto known = by_username_.find(login.username); known != by_username_.end()) {
    const auto old = known->second;
    by_username_.erase(known);
    entries_.erase(old);
  }
  while (!entries_.empty() && (entries_.size() >= entries_max_ || entries_.front().ends <= now)) {
    by_username_.erase(entries_.front().username);
    entries_.pop_front();
  }
  entries_.push_back(std::move(entry));
  by_username_.emplace(entries_.back().username, std::prev(entries_.end()));
}

std::size_t LoginCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace godwit::ingress
