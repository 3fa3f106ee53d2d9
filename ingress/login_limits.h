#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/clock.h"
#include "common/net/address.h"
#include "ingress/config.h"
#include "ingress/failure_limiter.h"

namespace godwit::ingress {

// How many failed logins one client address and one account may have, in this process.
//
// An IPv6 client counts by its /64: one host has that many addresses.
//
// This is where limits over all nodes of a cluster come in: whoever reads the topic `auth` tells
// failed() what other nodes saw, and whoever writes it is told where failed() is called.
// Threads  any
class LoginLimits {
 public:
  explicit LoginLimits(const BudgetConfig& limits)
      : addresses_(limits.auth_failures_per_address_max, limits.auth_failure_window),
        accounts_(limits.auth_failures_per_account_max, limits.auth_failure_window) {}

  enum class Verdict : std::uint8_t { kMayTry, kAddressBlocked, kAccountBlocked };
  [[nodiscard]] Verdict verdict(const net::IpAddress& address, std::string_view account,
                                Instant now) const {
    if (addresses_.blocked(key_of(address), now)) return Verdict::kAddressBlocked;
    if (accounts_.blocked(account, now)) return Verdict::kAccountBlocked;
    return Verdict::kMayTry;
  }
  void failed(const net::IpAddress& address, std::string_view account, Instant now) {
    addresses_.failed(key_of(address), now);
    accounts_.failed(account, now);
  }
  // The account's failures are forgotten, the address's are not: who has one account of his own
  // could guess at others between two logins.
  void succeeded(std::string_view account) { accounts_.succeeded(account); }

 private:
  static std::string_view key_of(const net::IpAddress& address) {
    return address.octets().substr(0, 8);
  }

  FailureLimiter addresses_;
  FailureLimiter accounts_;
};

}  // namespace godwit::ingress
