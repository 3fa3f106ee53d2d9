#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/clock.h"

namespace godwit::ingress {

// Logins that were verified a short while ago, so that a client that connects for every message
// does not cost a slow hash each time.
//
// Holds      for each user name a MAC of user name, password and the stored hash, under a key that
//            is random for each process; never the password. When the stored hash changes, what is
//            held fits no longer.
// Only hits  a wrong password is never remembered: guessing costs a hash each time.
// Limits     `entries_max` user names; above it the oldest goes. An entry ends `ttl` after it was
//            verified, used or not. A `ttl` of 0 remembers nothing.
// Threads    any; one short lock a login
class LoginCache {
 public:
  struct Login {
    std::string_view username;
    std::string_view password;
    std::string_view stored;  // what the control data has for the user
  };

  explicit LoginCache(Duration ttl, std::size_t entries_max = 10'000);
  ~LoginCache();
  LoginCache(const LoginCache&) = delete;
  LoginCache& operator=(const LoginCache&) = delete;

  [[nodiscard]] bool holds(const Login& login, Instant now) const;
  // `login` was verified.
  void remember(const Login& login, Instant now);
  [[nodiscard]] std::size_t size() const;

 private:
  using Mac = std::array<unsigned char, 32>;
  struct Entry {
    std::string username;
    Mac mac;
    Instant ends;
  };
  [[nodiscard]] Mac mac_of(const Login& login) const;

  const Duration ttl_;
  const std::size_t entries_max_;
  std::array<unsigned char, 32> key_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the oldest first, which also ends first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_username_;
};

}  // namespace godwit::ingress
