#include "sender/retry_schedule.h"

#include <algorithm>
#include <cmath>

namespace godwit::sender {

using std::chrono::milliseconds;

milliseconds RetrySchedule::wait_after(std::uint32_t attempts) const {
  const double exponent = attempts > 0 ? static_cast<double>(attempts - 1) : 0;
  const double wait = static_cast<double>(first.count()) * std::pow(factor, exponent);
  // In floating point, so that a thousandth attempt is `max` and not an overflow.
  return milliseconds{static_cast<std::int64_t>(std::min(wait, static_cast<double>(max.count())))};
}

Timestamp RetrySchedule::next_attempt(std::uint32_t attempts, Timestamp now, Timestamp expires,
                                      bool outcome_unknown, Random& random) const {
  const double spread = 1 + jitter * (2 * random.unit() - 1);
  milliseconds wait{
      static_cast<std::int64_t>(static_cast<double>(wait_after(attempts).count()) * spread)};
  if (outcome_unknown) wait = std::max(wait, after_unknown);
  return std::max(now, std::min(now + wait, expires));
}

Timestamp RetrySchedule::expiry(Timestamp accepted, std::int64_t expires_unix_ms) const {
  return expires_unix_ms > 0 ? from_unix_ms(expires_unix_ms) : accepted + age;
}

}  // namespace godwit::sender
