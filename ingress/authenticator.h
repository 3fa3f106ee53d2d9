#pragma once

#include <cstddef>

#include "common/async/blocking_pool.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/control/snapshot.h"
#include "common/net/address.h"
#include "common/smtp/reply.h"
#include "common/smtp/sasl.h"
#include "ingress/config.h"
#include "ingress/login_cache.h"
#include "ingress/login_limits.h"
#include "ingress/metrics.h"

namespace godwit::ingress {

// Decides a login against the control data.
//
// Output   the reply: 235 2.7.0; 535 5.7.8 (wrong, the same for users that do not exist); 454 4.7.0
//          (too many failures of the account, or too many logins wait for their hash); 421 4.7.0
//          (too many failures of the address)
// Cost     argon2 runs on threads of its own, at most `password_hashes_max` at once, never on a
//          shard. What was verified lately costs none (LoginCache). A failure costs the same
//          whether the user exists or not, and whether his password is hashed or not.
// Limits   kWaitingMax logins wait for a thread; more are answered 454
// Threads  check(): any shard; stop(): when no check() is under way
class Authenticator {
 public:
  static constexpr std::size_t kWaitingMax = 256;

  Authenticator(const control::View& control, const Clock& clock, const BudgetConfig& limits,
                IngressMetrics& metrics);

  [[nodiscard]] async::Task<smtp::Reply> check(smtp::Credentials credentials,
                                               net::IpAddress address);
  void stop() { hashing_.stop(); }

 private:
  enum class Outcome : std::uint8_t { kRight, kWrong, kAddressBlocked, kAccountBlocked };
  [[nodiscard]] Outcome barred(const net::IpAddress& address, std::string_view account) const;
  [[nodiscard]] bool quickly_right(const LoginCache::Login& login) const;
  [[nodiscard]] Outcome decide(const LoginCache::Login& login, const net::IpAddress& address);

  const control::View& control_;
  const Clock& clock_;
  IngressMetrics& metrics_;
  LoginLimits limits_;
  LoginCache verified_;
  async::BlockingPool hashing_;
};

}  // namespace godwit::ingress
