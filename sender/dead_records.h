#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/record/records.h"
#include "sender/journal.h"
#include "sender/metrics.h"

namespace godwit::sender {

// Puts what one partition cannot handle into `dead`, whole, with the cause: it counts as held, and an operator
// retries or drops it. The journal commits the row together with the end of what it was.
//
// Threads   belongs to the shard
class DeadRecords {
 public:
  DeadRecords(log::PartitionId partition, const Clock& clock, SenderMetrics& metrics,
              Journal& journal)
      : partition_(partition), clock_(clock), metrics_(metrics), journal_(journal) {}

  // A record of the window, as it was read. `key` is its key in the topic.
  void add(WindowSlot slot, std::string key, const Rope& value, const Error& error);
  // A delivery in hand, with the content it has in memory. Errors: as Journal::add_dead(); the
  // delivery is untouched.
  [[nodiscard]] Result<void> add(DeliveryPtr& delivery, const Error& error);

 private:
  [[nodiscard]] record::Dead dead_record(const log::RecordPosition& from, std::string key,
                                         const Rope& value, const Error& error) const;

  const log::PartitionId partition_;
  const Clock& clock_;
  SenderMetrics& metrics_;
  Journal& journal_;
};

}  // namespace godwit::sender
