#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"

namespace godwit::log {

// The topics and tables of docs/formats/topics.md. The numbers are on disk: never renumber.
enum class Topic : std::uint8_t {
  kAccepted = 1,
  kAcceptedUrgent = 2,
  kOutbound = 3,
  kOutboundUrgent = 4,
  kRetries = 5,  // table, partitioned as kOutbound
  kBodies = 6,
  kEvents = 7,
  kReports = 8,
  kControl = 9,        // table
  kSuppressions = 10,  // table
  kCommands = 11,      // table
  kDead = 12,          // table
  kNodes = 13,         // table
  kAuth = 14,
  kAudit = 15,
};
inline constexpr int kTopicMax = 15;

// "accepted.urgent"; the Kafka topic is the prefix and this.
[[nodiscard]] std::string_view topic_name(Topic topic);
[[nodiscard]] bool is_table(Topic topic);
// True for topics that have one partition whatever is configured: their order is over all of their
// records.
[[nodiscard]] bool is_single_partition(Topic topic);
// True for tables whose rows belong to the owner of the partition (`retries`). The keys of every
// other table are unique over the whole table, whichever partition a change is written to.
[[nodiscard]] bool is_partition_owned(Topic topic);

// of a record in its partition, from 0, without gaps on the embedded log
using Offset = std::int64_t;
using PartitionId = std::uint32_t;

struct TopicPartition {
  Topic topic{};
  PartitionId partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

// Where one record is.
struct RecordPosition {
  TopicPartition where;
  Offset offset = 0;
  auto operator<=>(const RecordPosition&) const = default;
};

// key and value; Kafka's default limit is 1 MiB
inline constexpr std::size_t kRecordBytesMax = 512 * 1024;
inline constexpr std::size_t kKeyBytesMax = 1024;

// A record to be written. The log never copies `value`; its pieces are given to the vectored write.
struct Append {
  TopicPartition where;
  std::string key;
  Rope value;
  // The oldest record this one refers to instead of repeating it: content is stored once.
  // Keeps that record's segment for as long as this record is needed. Without
  // reads_by_position() only chunks of `bodies` are referred to, and kept by time alone.
  std::optional<RecordPosition> refers_to;
};

// A change to a table: a new value for `key`, or its end. Nothing else may write that table's
// partition.
struct TableChange {
  TopicPartition where;
  std::string key;
  std::optional<Rope> value;  // nullopt: a tombstone
};

// Everything below `next` in that partition is finished and never read again by this group.
struct PositionChange {
  TopicPartition where;
  Offset next = 0;
};

// A record as read.
struct Record {
  Offset offset = 0;
  Timestamp time;  // when the log took it
  std::string key;
  Rope value;
};

// What happens together or not at all.
struct Batch {
  std::vector<Append> appends;
  std::vector<TableChange> changes;
  std::vector<PositionChange> positions;

  [[nodiscard]] bool empty() const {
    return appends.empty() && changes.empty() && positions.empty();
  }
};

// What an append or a change counts for against Ownership::batch_bytes_max(): its octets, and what the log puts
// around them at most.
[[nodiscard]] std::size_t bytes_in_batch(const Append& append);
[[nodiscard]] std::size_t bytes_in_batch(const TableChange& change);

// What a finished append or commit tells: the offset of each Batch::appends, in order.
struct Written {
  std::vector<Offset> offsets;
};

}  // namespace godwit::log

template <>
struct std::hash<godwit::log::TopicPartition> {
  std::size_t operator()(const godwit::log::TopicPartition& tp) const noexcept {
    return static_cast<std::size_t>(tp.topic) << 32 | tp.partition;
  }
};
