#include "sender/gcra.h"

#include <algorithm>

#include "common/base/check.h"

namespace godwit::sender {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

void Gcra::set_rate(const control::Rate& rate) {
  const Duration before = interval_;
  rate_ = rate;
  rate_.burst = std::max<std::uint64_t>(rate_.burst, 1);
  if (rate_.count == 0) {
    interval_ = Duration::max();
    return;
  }
  // Rounded up to the nanosecond, so that the rate is approached from below.
  const auto per = static_cast<std::uint64_t>(nanoseconds(rate.per).count());
  interval_ = nanoseconds((per + rate.count - 1) / rate.count);
  // What is owed was counted in the old interval; the new rate owes the same number of events.
  if (before != Duration{} && before != Duration::max() && before > interval_) {
    arrival_ -= before - interval_;
  }
}

Duration Gcra::tolerance() const {
  // A burst of more than a year is a burst without a limit.
  const auto most = static_cast<std::uint64_t>(
      (nanoseconds(std::chrono::hours{24 * 365}) / std::max<Duration>(interval_, nanoseconds{1})));
  return interval_ * static_cast<Duration::rep>(std::min(rate_.burst - 1, most));
}

Instant Gcra::ready_at(Instant now) const {
  if (rate_.count == 0) return Instant::max();
  return std::max(now, arrival_ - tolerance());
}

void Gcra::take(Instant now) {
  CHECK(ready_at(now) <= now, "taken before it was allowed");
  arrival_ = std::max(arrival_, now) + interval_;
}

void Gcra::give_back() {
  if (rate_.count != 0) arrival_ -= interval_;
}

void Gcra::start_cold(Instant now, Duration spent) {
  if (rate_.count != 0) arrival_ = std::max(arrival_, now + tolerance() + spent);
}

Timestamp::rep Gcra::theoretical_arrival_unix_us(Instant now, Timestamp wall) const {
  const auto ahead = duration_cast<microseconds>(arrival_ > now ? arrival_ - now : Duration{});
  return duration_cast<microseconds>(wall.time_since_epoch()).count() + ahead.count();
}

void Gcra::restore(Timestamp::rep theoretical_arrival_unix_us, Instant now, Timestamp wall) {
  if (rate_.count == 0) return;
  const microseconds ahead{theoretical_arrival_unix_us -
                           duration_cast<microseconds>(wall.time_since_epoch()).count()};
  // The clock of the last owner may have been ahead, or the rate slower: no more debt than one full
  // burst.
  const Duration most = tolerance() + interval_;
  if (ahead > microseconds{0}) arrival_ = now + std::min<Duration>(ahead, most);
}

}  // namespace godwit::sender
