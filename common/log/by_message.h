#pragma once

#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/log/types.h"

// What the log keeps by message: `accepted`, `events`, `reports` and `bodies` are partitioned by its id.
//
// Threads  pure
// Source   docs/formats/topics.md
namespace godwit::log {

// Where the records of a message are, in a topic of so many partitions. The same for ever.
[[nodiscard]] PartitionId partition_of(const MessageId& message, PartitionId partitions);

// Of a record of `bodies` with its key: a record of the log's limit.
inline constexpr std::size_t kBodyChunkBytes = kRecordBytesMax - kKeyBytesMax;

// A message's content as records of `bodies`, all in one partition, in order; none for no content. The octets are
// shared, not copied. Where they came to stand goes into record::refer_to_body().
[[nodiscard]] std::vector<Append> body_of(const MessageId& message, const Rope& content,
                                          PartitionId partitions);

}  // namespace godwit::log
