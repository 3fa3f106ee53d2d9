#pragma once

#include <string>

#include "common/async/blocking_pool.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/control/snapshot.h"
#include "common/net/address.h"
#include "common/smtp/reply.h"
#include "common/smtp/sasl.h"
#include "ingress/config.h"
#include "ingress/failure_limiter.h"

namespace godwit::ingress {

// Decides a login against the control data.
//
// Output   the reply: 235 2.7.0; 535 5.7.8 (wrong, the same for users that do not exist); 454 4.7.0 (too many failures
//          of the account, or no room on the pool); 421 4.7.0 (too many failures of the address)
// Cost     argon2 runs on the blocking pool, never on a shard. A failure costs the same whether the user exists
//          or not, and whether his password is hashed or not.
// Threads  any
class Authenticator {
 public:
  Authenticator(async::BlockingPool& pool, const control::View& control, const Clock& clock,
                const BudgetConfig& limits)
      : pool_(pool),
        control_(control),
        clock_(clock),
        addresses_(limits.auth_failures_per_address_max, limits.auth_failure_window),
        accounts_(limits.auth_failures_per_account_max, limits.auth_failure_window) {}

  [[nodiscard]] async::Task<smtp::Reply> check(smtp::Credentials credentials,
                                               net::IpAddress address);

 private:
  async::BlockingPool& pool_;
  const control::View& control_;
  const Clock& clock_;
  FailureLimiter addresses_;
  FailureLimiter accounts_;
};

}  // namespace godwit::ingress
