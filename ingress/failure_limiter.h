#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/clock.h"

namespace godwit::ingress {

// Counts failures of a key (an address, a user name) in fixed windows, so that guessing passwords is slow.
//
// Limits   `entries_max` keys; at the bound those whose window is over are dropped, and if there are none the new
//          key is not counted (an attacker who owns that many addresses is not held up by counting them)
// Threads  any; one short lock. Called once a login, never for mail.
class FailureLimiter {
 public:
  FailureLimiter(std::uint32_t failures_max, Duration window, std::size_t entries_max = 100'000)
      : failures_max_(failures_max), window_(window), entries_max_(entries_max) {}

  [[nodiscard]] bool blocked(std::string_view key, Instant now) const;
  void failed(std::string_view key, Instant now);
  void succeeded(std::string_view key);

 private:
  struct Entry {
    Instant since;
    std::uint32_t failures = 0;
  };
  const std::uint32_t failures_max_;
  const Duration window_;
  const std::size_t entries_max_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace godwit::ingress
