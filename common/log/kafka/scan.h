#pragma once

#include <functional>
#include <vector>

#include "common/log/kafka/admin.h"
#include "common/log/kafka/consumer.h"

namespace godwit::log {

// Reads each partition from its start up to its end, oldest first, until `visit` returns false. Blocks.
// Errors   kUnavailable: nothing came for kScanPatience; what the reader says
struct ScanRange {
  TopicPartition where;
  Offset from = 0;
  Offset end = 0;
};
using VisitScan = std::function<bool(TopicPartition where, Record record, bool tombstone)>;
[[nodiscard]] Result<void> scan(const KafkaOptions& options, const TopicNames& names,
                                const std::vector<ScanRange>& ranges, const VisitScan& visit);

// Says that the topics of this prefix are this cluster's, or whose they are: the first record of a topic of its own,
// "<prefix>cluster", has the name. Errors: std::errc::invalid_argument, with the other's name; kUnavailable.
[[nodiscard]] Result<void> claim_prefix(KafkaAdmin& admin, const KafkaOptions& options);

}  // namespace godwit::log
