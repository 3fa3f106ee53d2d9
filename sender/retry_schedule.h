#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/clock.h"
#include "common/base/random.h"

namespace godwit::sender {

// When a deferred delivery is tried again, and when it is given up.
//
// The first wait is `first`; each later one is `factor` times longer, up to `max`; each is spread
// by `jitter` so that what was deferred together does not come back together. A delivery ends as
// `expired` `age` after it was accepted. Attempt counts are part of the delivery's record, so the
// schedule goes on across restarts.
//
// Threads   pure
// Source    RFC 5321 s4.5.4.1: at least 30 minutes between attempts "in general", give up after 4-5
//           days; the first retry is sooner (20 minutes), as greylisting made customary
struct RetrySchedule {
  std::chrono::milliseconds first = std::chrono::minutes{20};
  double factor = 2;
  std::chrono::milliseconds max = std::chrono::hours{4};
  std::chrono::milliseconds age = std::chrono::days{5};
  double jitter = 0.1;  // of the wait, either way
  // The earliest next attempt when nobody can know whether the last one delivered: time for a slow
  // host to finish with the copy it may have, and for people to look.
  std::chrono::milliseconds after_unknown = std::chrono::minutes{10};

  // The wait after attempt number `attempts` (from 1) failed, without jitter.
  [[nodiscard]] std::chrono::milliseconds wait_after(std::uint32_t attempts) const;

  // When the next attempt is due, never later than `expires`.
  [[nodiscard]] Timestamp next_attempt(std::uint32_t attempts, Timestamp now, Timestamp expires,
                                       bool outcome_unknown, Random& random) const;

  // When a delivery accepted at `accepted` is given up; a message may carry its own time instead.
  [[nodiscard]] Timestamp expiry(Timestamp accepted, std::int64_t expires_unix_ms) const;
};

}  // namespace godwit::sender
