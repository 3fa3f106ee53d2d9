#pragma once

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/log/types.h"
#include "sender/environment.h"
#include "sender/partition_life.h"

namespace godwit::log {
class Table;
}

namespace godwit::sender {

// Fetches the content of the deliveries of one partition: from the record it was accepted with, from `bodies`, or
// from the table where it was parked. What is in `bodies` is read once for all who need it at the same time
// (SharedBodies).
//
// Output    delivery.content, of the size and with the checksum its record says. It is on disk in the log, and so
//           is the record the delivery was read from: the outside world must not depend on what may be lost
// Errors    log::Errc, record::Errc, poison::Errc::kInHand; is_lasting() tells which will never go away. The
//           delivery is untouched; but of a record that cannot be decoded, or was in hand at three crashes, it has
//           the content all the same when that can be told without decoding: for `dead`
// Limits    waits 10 s for what is not on disk yet; a lost partition waits no more
// Threads   belongs to one shard
class ContentReader {
 public:
  ContentReader(Environment& environment, const log::Table& retries, log::PartitionId partition,
                PartitionLife& life)
      : env_(environment), retries_(retries), partition_(partition), life_(life) {}

  // Nothing to do when it is there already. Waits until `share_by` for its share of content_memory
  // (now: only tries), while the partition does not drain; without one: kContentMemory.
  [[nodiscard]] async::Task<Result<void>> load(QueuedDelivery& delivery, Instant share_by);

 private:
  [[nodiscard]] async::Task<Result<Rope>> fetch(QueuedDelivery& delivery);
  [[nodiscard]] async::Task<Result<void>> wait_durable(log::TopicPartition where,
                                                       log::Offset offset);
  [[nodiscard]] async::Task<Result<Rope>> read_inline(QueuedDelivery& delivery);
  [[nodiscard]] async::Task<Result<void>> load_body(QueuedDelivery& delivery, Instant share_by);
  [[nodiscard]] async::Task<Result<void>> wait_for_slot(const QueuedDelivery& delivery);
  [[nodiscard]] async::Task<Result<Rope>> read_body(const v1::BodyReference& body);
  [[nodiscard]] async::Task<Result<Rope>> read_parked(MessageId content, std::uint64_t size);

  Environment& env_;
  const log::Table& retries_;
  const log::PartitionId partition_;
  PartitionLife& life_;
};

// Reading again will not help: the delivery goes to `dead`.
[[nodiscard]] bool is_lasting(const Error& error);

}  // namespace godwit::sender
