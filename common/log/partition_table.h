#pragma once

#include <memory>
#include <vector>

#include "common/log/partition_log.h"
#include "common/log/types.h"

namespace godwit::log {

// All partitions of all topics. Of tables too: their changes are counted by offset, though never read back.
// Threads: any; the set never changes.
class PartitionTable {
 public:
  explicit PartitionTable(PartitionId partitions);

  // nullptr: there is no such partition.
  [[nodiscard]] PartitionLog* find(TopicPartition where) const;
  [[nodiscard]] PartitionLog& at(TopicPartition where) const;
  [[nodiscard]] PartitionId count(Topic topic) const;
  [[nodiscard]] const std::vector<TopicPartition>& all() const { return all_; }
  void forget(const Segment& segment);
  void close();

 private:
  const PartitionId partitions_;
  std::vector<std::vector<std::unique_ptr<PartitionLog>>> topics_;
  std::vector<TopicPartition> all_;
};

}  // namespace godwit::log
