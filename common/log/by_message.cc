#include "common/log/by_message.h"

#include <string>

#include "common/base/check.h"

namespace godwit::log {

PartitionId partition_of(const MessageId& message, PartitionId partitions) {
  CHECK(partitions > 0, "a topic without partitions");
  return static_cast<PartitionId>(message.hash() % partitions);
}

std::vector<Append> body_of(const MessageId& message, const Rope& content, PartitionId partitions) {
  const TopicPartition where{Topic::kBodies, partition_of(message, partitions)};
  std::vector<Append> chunks;
  for (std::size_t at = 0; at < content.size(); at += kBodyChunkBytes) {
    chunks.push_back({.where = where,
                      .key = std::string(message.octets()),
                      .value = content.slice(at, kBodyChunkBytes),
                      .refers_to = std::nullopt});
  }
  return chunks;
}

}  // namespace godwit::log
