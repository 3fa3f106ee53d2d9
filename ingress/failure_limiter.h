#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "common/base/clock.h"

namespace godwit::ingress {

// Counts failures of a key (an address, a user name) in fixed windows, so that guessing passwords
// is slow.
//
// Holds    a keyed 64-bit hash of each key: peers choose user names, and long ones cost no more
// Limits   `entries_max` keys; at the bound those whose window is over are dropped, and if there
//          are none the new key is not counted (an attacker who owns that many addresses is not
//          held up by counting them)
// Threads  any; one short lock. Called once a login, never for mail.
class FailureLimiter {
 public:
  FailureLimiter(std::uint32_t failures_max, Duration window, std::size_t entries_max = 100'000);

  [[nodiscard]] bool blocked(std::string_view key, Instant now) const;
  void failed(std::string_view key, Instant now);
  void succeeded(std::string_view key);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    Instant since;
    std::uint32_t failures = 0;
  };
  [[nodiscard]] std::uint64_t hash_of(std::string_view key) const;
  [[nodiscard]] bool room_for(std::uint64_t hash, Instant now);

  const std::uint32_t failures_max_;
  const Duration window_;
  const std::size_t entries_max_;
  std::array<unsigned char, 16> hash_key_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  Instant sweep_at_{};  // at the bound not each failure looks through all entries
};

}  // namespace godwit::ingress
