#include "common/log/partition_table.h"

#include "common/base/check.h"

namespace godwit::log {

PartitionTable::PartitionTable(PartitionId partitions) : partitions_(partitions) {
  topics_.resize(kTopicMax + 1);
  for (int number = 1; number <= kTopicMax; ++number) {
    const auto topic = static_cast<Topic>(number);
    for (PartitionId partition = 0; partition < count(topic); ++partition) {
      topics_[static_cast<std::size_t>(number)].push_back(std::make_unique<PartitionLog>());
      all_.push_back({topic, partition});
    }
  }
}

PartitionId PartitionTable::count(Topic topic) const {
  return is_single_partition(topic) ? 1 : partitions_;
}

PartitionLog* PartitionTable::find(TopicPartition where) const {
  const auto topic = static_cast<std::size_t>(where.topic);
  if (topic >= topics_.size() || where.partition >= topics_[topic].size()) return nullptr;
  return topics_[topic][where.partition].get();
}

PartitionLog& PartitionTable::at(TopicPartition where) const {
  PartitionLog* const found = find(where);
  CHECK(found != nullptr, "no partition {} of {}", where.partition, topic_name(where.topic));
  return *found;
}

void PartitionTable::forget(const Segment& segment) {
  for (const TopicPartition where : all_) at(where).forget(segment);
}

void PartitionTable::close() {
  for (const TopicPartition where : all_) at(where).close();
}

}  // namespace godwit::log
