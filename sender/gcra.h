#pragma once

#include "common/base/clock.h"
#include "common/control/snapshot.h"

namespace godwit::sender {

// A rate limit that is never exceeded: the generic cell rate algorithm.
//
// Events are `per / count` apart; `burst` of them may come at once after a pause that long. "5/s"
// therefore means one every 200 ms, not five and a pause. The state is one time, so it moves
// between owners exactly.
//
// Use       if (limiter.ready_at(now) <= now) { limiter.take(now); ... }
// Exact     in any window of length L at most burst + L / interval events are taken
// Threads   pure; belongs to one shard
// Source    ITU-T I.371, virtual scheduling algorithm
class Gcra {
 public:
  explicit Gcra(const control::Rate& rate) { set_rate(rate); }

  // Keeps what was spent; a faster rate does not have to pay the old interval's debt in full.
  void set_rate(const control::Rate& rate);
  [[nodiscard]] const control::Rate& rate() const { return rate_; }

  // The earliest time at which one more is allowed; Instant::max() when the rate is zero.
  [[nodiscard]] Instant ready_at(Instant now) const;
  // One more, at `now` >= ready_at(now).
  void take(Instant now);
  // Gives the last take() back: it was not used after all.
  void give_back();

  // A new owner that does not know what the last one did since its last commit: no burst, and
  // nothing before `now + spent`.
  void start_cold(Instant now, Duration spent);

  // The state, as a point in time that is comparable across machines. Neutral when idle.
  [[nodiscard]] Timestamp::rep theoretical_arrival_unix_us(Instant now, Timestamp wall) const;
  void restore(Timestamp::rep theoretical_arrival_unix_us, Instant now, Timestamp wall);

  // True when the limiter is as good as new: dropping it changes nothing.
  [[nodiscard]] bool idle(Instant now) const { return arrival_ <= now; }

 private:
  [[nodiscard]] Duration tolerance() const;

  control::Rate rate_;
  Duration interval_{};
  Instant arrival_{};  // theoretical arrival time of the next event
};

}  // namespace godwit::sender
