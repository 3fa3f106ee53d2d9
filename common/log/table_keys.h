#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/log/segment_format.h"
#include "common/log/types.h"

// The keys and values that the embedded log keeps in its store: docs/formats/segments.md, "Tables".
// Threads  pure
namespace godwit::log {

// Rows and index entries of one table lie together: of a partition-owned table partition by partition.
// A row's key is the prefix and the key, an index entry the prefix and the entry.
[[nodiscard]] std::string table_prefix(TopicPartition where);
// The first key behind every key that begins with `prefix`.
[[nodiscard]] std::string prefix_end(std::string prefix);

// Space kMeta.
inline constexpr std::string_view kCheckpointKey = "checkpoint";
inline constexpr std::string_view kNextOffsetsKey = "next";
inline constexpr std::string_view kGroupPrefix = "group/";
// Rows that changed while no indexer was there, with the value that the index still reflects.
inline constexpr std::string_view kUnindexedPrefix = "unindexed/";
inline constexpr std::string_view kIndexerPrefix = "indexer/";

// How far the store reflects the log, and the oldest segment that is needed from then on.
struct Checkpoint {
  StreamPosition position;
  std::uint64_t needed_from = 0;
};
[[nodiscard]] std::string encode_checkpoint(StreamPosition position, std::uint64_t needed_from);
[[nodiscard]] std::optional<Checkpoint> decode_checkpoint(std::string_view value);

[[nodiscard]] std::string group_key(std::string_view group, TopicPartition where);
struct GroupPosition {
  std::string group;
  PositionChange change;
};
[[nodiscard]] std::optional<GroupPosition> decode_group(std::string_view key,
                                                        std::string_view value);
[[nodiscard]] std::string encode_offset(Offset offset);

// Where each partition's offsets go on: what segments that were freed cannot say any more.
[[nodiscard]] std::string encode_next_offsets(const std::vector<PositionChange>& next);
[[nodiscard]] std::optional<std::vector<PositionChange>> decode_next_offsets(
    std::string_view value);

}  // namespace godwit::log
