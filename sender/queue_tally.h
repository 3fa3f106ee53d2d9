#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/admin/types.h"
#include "common/base/clock.h"
#include "sender/parked_index.h"
#include "sender/queued_delivery.h"

namespace godwit::sender {

// Counts what a partition holds, by lane, domain and tenant, as deliveries come, move and go: an operator's
// question costs a look, not a scan. Counts are recipients.
//
// Oldest and next due are exact to the minute they fall in.
// Threads   belongs to one shard
class QueueTally {
 public:
  enum class State : std::uint8_t { kWaiting, kActive, kParked };

  // What is counted of one delivery; the same values when it is taken off again.
  struct Share {
    LaneId lane;
    std::string domain;
    std::string tenant;
    std::uint32_t recipients = 0;
    Timestamp accepted;
    Timestamp due;  // of parked ones
  };
  [[nodiscard]] static Share share_of(const QueuedDelivery& delivery);
  [[nodiscard]] static Share share_of(const LaneEntry& entry);

  void add(State state, const Share& share) { count(state, share, 1); }
  void remove(State state, const Share& share) { count(state, share, -1); }

  [[nodiscard]] admin::QueueSummary summary(const admin::QueueQuery& query) const;

 private:
  struct Group {
    std::int64_t counts[3] = {0, 0, 0};
    std::map<std::int64_t, std::int64_t> accepted;  // minute -> recipients
    std::map<std::int64_t, std::int64_t> due;
  };
  void count(State state, const Share& share, int sign);
  static void count(Group& group, State state, const Share& share, int sign);
  static admin::QueueCounts counts_of(const Group& group);

  Group all_;
  std::map<std::string, Group> by_[3];  // admin::QueueBy
};

}  // namespace godwit::sender
