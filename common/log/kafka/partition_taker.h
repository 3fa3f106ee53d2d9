#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/log/kafka/admin.h"
#include "common/log/kafka/consumer.h"
#include "common/log/kafka/metrics.h"
#include "common/log/kafka/table_copies.h"

namespace godwit::log {

// What has to be known and read before a partition is this process's own (docs/kafka.md; the lane's producer has
// begun, and so ended what a predecessor with its id left open):
//
//   1. the committed offsets, waiting for stable
//   2. H, the high watermark of its tables as a read-uncommitted reader sees it
//   3. its tables, read committed, up to an end of the partition at or above H: the last stable offset would be too
//      early (an old owner's open transaction hides records behind it), and the last record too late
//   4. from where it is read: the committed offset; without one, what the group keeps in its table; with neither, the
//      start, if the log begins at 0. Otherwise it is halted: what is gone may have been finished or not
//
// A position whose record has expired goes on at the oldest that is there, and says so.
// Threads  take() one at a time; blocks
class PartitionTaker {
 public:
  struct Environment {
    KafkaOptions options;
    TopicNames names;
    KafkaAdmin* admin = nullptr;
    std::shared_ptr<TableCopies> copies;
    KafkaConsumer* reader = nullptr;  // whom table partitions are attached to
    std::shared_ptr<GroupMetrics> metrics;
    std::string group;
    std::vector<Topic> read;  // subscribed and followed
    std::vector<Topic> tables;
    KeptPosition kept_position;
  };
  explicit PartitionTaker(Environment environment) : env_(std::move(environment)) {}

  struct Taken {
    PartitionId partition = 0;
    Instant asked;                      // not later than the offsets were
    std::map<Topic, Offset> positions;  // where each topic is read on
    std::string halted;                 // why it cannot be; empty: it can
  };
  // Looks now and then whether it shall go on. Errors: kUnavailable, of the local store; kClosed: it shall not.
  [[nodiscard]] Result<std::vector<Taken>> take(const std::vector<PartitionId>& partitions,
                                                const std::function<bool()>& go_on);

 private:
  struct Position {
    Offset committed = -1;
    Extent extent;
  };
  using Positions = std::map<TopicPartition, Position>;
  [[nodiscard]] Result<Positions> look_up(const std::vector<PartitionId>& partitions) const;
  [[nodiscard]] Result<void> rebuild(const std::vector<PartitionId>& partitions,
                                     const std::function<bool()>& go_on);
  void place(Taken& taken, const Positions& positions) const;

  const Environment env_;
};

}  // namespace godwit::log
