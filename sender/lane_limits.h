#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/control/snapshot.h"
#include "godwit/v1/delivery.pb.h"
#include "sender/gcra.h"

namespace godwit::sender {

// Why something does not happen now. Shown to operators as the reason a lane stands still.
enum class Wait {
  kNone,
  kConnectionLimit,
  kLaneConnectionLimit,
  kConnectionRate,
  kMessageRate,
  kLaneMessageRate,
  kSuspended,  // the site does not answer, or somebody stopped the lane
  kNoSource,   // no usable source in the pool
  kCommit,     // the log does not take what ended: nothing new is begun
};
[[nodiscard]] std::string_view wait_name(Wait wait);  // "max_message_rate"

// The limits of one lane, exactly: per source at the site, and over all sources (`lane_...`).
//
// A connection is asked for before it is opened and closed() after; a message is taken just before
// its MAIL. What is granted is counted at once, so two askers can never have the same token.
//
// Use       auto answer = limits.may_send(source, now);
//           if (answer.granted()) { limits.sent(source, now); ... }
// Threads   pure; belongs to one shard
class LaneLimits {
 public:
  struct Answer {
    Wait why = Wait::kNone;
    Instant at;  // when to ask again; Instant::max(): when something is closed or changed
    [[nodiscard]] bool granted() const { return why == Wait::kNone; }
  };

  // The limits of a source, whenever the control data changed; `lane_` values of all sources of a
  // lane are the same entry's, the smallest counts. What was spent stays spent.
  void set(const SourceName& source, const control::Shaping& shaping, Instant now);

  [[nodiscard]] Answer may_connect(const SourceName& source, Instant now) const;
  void connected(const SourceName& source, Instant now);  // may_connect() granted it
  void closed(const SourceName& source);

  [[nodiscard]] Answer may_send(const SourceName& source, Instant now) const;
  void sent(const SourceName& source, Instant now);  // may_send() granted it
  void not_sent(const SourceName& source);           // the token was not used

  // A message limit of that source, or of the lane, is below 1/s: a token that a crash forgets would be
  // worth seconds.
  [[nodiscard]] bool slow(const SourceName& source) const;

  [[nodiscard]] std::uint32_t connections(const SourceName& source) const;
  [[nodiscard]] std::uint32_t connections() const { return connections_; }

  // State that moves with the lane. idle() means there is none worth keeping.
  [[nodiscard]] bool idle(Instant now) const;
  void save(v1::LaneState& state, Instant now, Timestamp wall) const;
  void restore(const v1::LaneState& state, Instant now, Timestamp wall);
  // An owner whose predecessor did not stop cleanly: no burst, and a commit window's worth is spent,
  // of what restore() knows too.
  void start_cold(Instant now, Duration spent);

 private:
  struct Source {
    std::uint32_t connection_limit = 0;
    std::uint32_t connections = 0;
    std::optional<std::uint32_t> lane_connection_limit;
    std::optional<control::Rate> lane_message_rate;
    std::optional<Gcra> connection_rate;
    std::optional<Gcra> message_rate;
  };
  void apply_lane_limits();
  static void apply(std::optional<Gcra>& limiter, const std::optional<control::Rate>& rate);
  template <class Visit>
  void each_limiter(const Visit& visit) const;

  std::map<SourceName, Source> sources_;
  std::optional<std::uint32_t> lane_connection_limit_;
  std::optional<Gcra> lane_message_rate_;
  std::uint32_t connections_ = 0;
  std::map<std::string, std::int64_t> restored_;  // of limiters that set() has not named yet
  Instant restored_at_{};
  Timestamp restored_wall_;
  std::optional<Duration> cold_;
  Instant cold_at_{};
};

}  // namespace godwit::sender
