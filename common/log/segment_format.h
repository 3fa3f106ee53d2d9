#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/log/types.h"

// The octets of a segment file: docs/formats/segments.md, in code. Encodes and decodes; no files, no clock.
//
// All integers are little-endian. A segment begins with one page of header; batches follow, each from the
// beginning of a page, so that the write of one never touches a page of another.
// Threads  pure
namespace godwit::log {

inline constexpr std::uint32_t kPageBytes = 4096;
inline constexpr std::uint32_t kRunsMax = 16384;

[[nodiscard]] constexpr std::uint64_t round_up_to_page(std::uint64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// A place in the stream: an octet of a segment. Segments are numbered from 1 and never twice.
struct StreamPosition {
  std::uint64_t segment = 0;
  std::uint32_t offset = 0;
  auto operator<=>(const StreamPosition&) const = default;
};
[[nodiscard]] std::string to_string(StreamPosition position);

// The first page of a segment in use. `nonce` is drawn anew each time the file is used: a batch without it is
// of an earlier use, or is a message body that looks like one.
struct SegmentHeader {
  std::uint64_t segment = 0;
  std::uint64_t nonce = 0;
  std::uint32_t capacity = 0;  // octets of the file
};
enum class SegmentState { kFree, kInUse, kDamaged };

[[nodiscard]] std::string encode_segment_header(const SegmentHeader& header);
[[nodiscard]] std::string encode_free_header();
// Zeros are a free segment too. `page` has kPageBytes.
[[nodiscard]] SegmentState decode_segment_header(std::string_view page, SegmentHeader& header);

// What a run of records is for.
enum class RunKind : std::uint8_t {
  kRecords = 1,    // of a topic
  kChanges = 2,    // of a table
  kPositions = 3,  // of groups
  kHole = 4,       // offsets whose records could not be read (repair)
};

// Records of one topic partition that follow each other in a batch.
struct Run {
  RunKind kind{};
  TopicPartition where;  // zeros in a run of positions
  Offset first = 0;      // of its first record
  std::uint32_t count = 0;
  std::uint32_t offset = 0;  // of its octets, from the beginning of the batch
  std::uint32_t length = 0;
  std::uint32_t crc = 0;  // crc32c of its octets

  [[nodiscard]] Offset next() const { return first + count; }
  bool operator==(const Run&) const = default;
};

// Stands where batches could not be read (repair): sequence and offsets may jump here.
inline constexpr std::uint64_t kBatchGap = 1;

struct BatchHeader {
  std::uint64_t nonce = 0;
  StreamPosition position;     // of the batch itself
  std::uint32_t length = 0;    // with header, without padding
  StreamPosition synced;       // everything before it was on disk when this was written
  std::uint64_t sequence = 0;  // counts batches, without gaps
  Timestamp time;
  std::uint64_t oldest_reference = 0;  // oldest segment its records refer to, or its own
  std::uint64_t flags = 0;             // kBatchGap
  std::vector<Run> runs;

  [[nodiscard]] std::uint32_t length_padded() const {
    return static_cast<std::uint32_t>(round_up_to_page(length));
  }
  bool operator==(const BatchHeader&) const = default;
};

[[nodiscard]] std::uint32_t batch_header_bytes(std::size_t runs);
[[nodiscard]] std::string encode_batch_header(const BatchHeader& header);

enum class Decoded {
  kOk,
  kNone,      // nothing of this use of the segment is here
  kDamaged,   // something is, and it is not what was written
  kNeedMore,  // `octets` end within the header
};
// `octets` begin where a batch would; `header` says which use of the segment is read (nonce), `position` where.
// On kOk `batch` is filled; its runs lie within its length, one after the other, behind the header.
[[nodiscard]] Decoded decode_batch_header(std::string_view octets, std::uint64_t nonce,
                                          StreamPosition position, BatchHeader& batch);
// How many octets the header needs, when decode_batch_header() wants more; at most batch_header_bytes(kRunsMax).
[[nodiscard]] std::uint32_t batch_header_bytes_wanted(std::string_view octets);

// The head of a record of a topic or a table; key and value follow it.
inline constexpr std::size_t kRecordHeadBytes = 8;
[[nodiscard]] inline std::size_t record_bytes(std::size_t key, std::size_t value) {
  return kRecordHeadBytes + key + value;
}
void encode_record_head(std::string& out, std::string_view key, std::size_t value_bytes,
                        bool tombstone);
void encode_position(std::string& out, std::string_view group, const PositionChange& change);

// Walks over the records of a run whose checksum was verified. False: the octets are not a run of records.
struct RawRecord {
  std::string_view key;
  std::optional<std::string_view> value;  // nullopt: a tombstone
};
class RunReader {
 public:
  explicit RunReader(std::string_view octets) : left_(octets) {}
  [[nodiscard]] bool next(RawRecord& record);
  [[nodiscard]] bool next(std::string_view& group, PositionChange& change);
  [[nodiscard]] bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
};

}  // namespace godwit::log
