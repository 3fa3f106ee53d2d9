#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/log/types.h"
#include "common/record/records.h"
#include "sender/event_record.h"

namespace godwit::sender {

// What an attempt came to that may not be in the log: its commit was not acknowledged when the partition was lost.
struct EndedAttempt {
  std::vector<EventRecord> events;       // not empty; all of the same attempt
  std::optional<record::Delivery> left;  // with whom it goes on; nullopt: nobody is left
  [[nodiscard]] std::uint32_t attempt() const { return events.front().attempt; }
};
using EndedByDelivery = std::map<DeliveryId, EndedAttempt>;

// Adds what a batch of the journal says of attempts. Expiries are left out: they are found again.
void add_ended(const log::Batch& batch, EndedByDelivery& ended);

// Keeps them for as long as the process lives, until it takes the partition again: what the log does not show
// finished is committed then, not attempted. Whoever takes it drops them when
// another process owned the partition meanwhile.
//
// Limits    as much as the windows of the partitions hold
// Threads   any
class EndedAttempts {
 public:
  void keep(log::PartitionId partition, EndedByDelivery ended);
  [[nodiscard]] EndedByDelivery take(log::PartitionId partition);

 private:
  std::mutex mutex_;
  std::map<log::PartitionId, EndedByDelivery> by_partition_;
};

}  // namespace godwit::sender
