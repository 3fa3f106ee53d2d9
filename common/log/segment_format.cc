#include "common/log/segment_format.h"

#include <bit>
#include <concepts>
#include <cstring>

#include "common/base/check.h"
#include "common/base/crc32c.h"

namespace godwit::log {
namespace {

constexpr std::string_view kSegmentMagic = "GWSEG001";
constexpr std::string_view kFreeMagic = "GWFREE01";
constexpr std::uint32_t kBatchMagic = 0x31425747;  // "GWB1"
constexpr std::uint32_t kBatchFixedBytes = 80;
constexpr std::uint32_t kRunBytes = 32;
constexpr std::uint16_t kTombstone = 1;

static_assert(std::endian::native == std::endian::little, "integers are copied as they are");

template <std::integral T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <std::integral T>
T get(std::string_view octets, std::size_t offset) {
  T value;
  std::memcpy(&value, octets.data() + offset, sizeof value);
  return value;
}

bool known_topic(std::uint8_t topic) {
  return topic >= 1 && topic <= kTopicMax;
}

bool sensible(const Run& run, std::uint32_t expected_offset, std::uint32_t batch_length) {
  if (run.offset != expected_offset || run.length > batch_length - run.offset) return false;
  if (run.first < 0 || run.count == 0) return false;
  switch (run.kind) {
    case RunKind::kPositions: return true;
    case RunKind::kRecords:
      return known_topic(static_cast<std::uint8_t>(run.where.topic)) && !is_table(run.where.topic);
    case RunKind::kChanges:
      return known_topic(static_cast<std::uint8_t>(run.where.topic)) && is_table(run.where.topic);
    case RunKind::kHole:
      return known_topic(static_cast<std::uint8_t>(run.where.topic)) && run.length == 0;
  }
  return false;
}

}  // namespace

std::string to_string(StreamPosition position) {
  return "segment " + std::to_string(position.segment) + " position " +
         std::to_string(position.offset);
}

std::string encode_segment_header(const SegmentHeader& header) {
  std::string page(kSegmentMagic);
  put<std::uint64_t>(page, header.segment);
  put<std::uint64_t>(page, header.nonce);
  put<std::uint32_t>(page, header.capacity);
  put<std::uint32_t>(page, crc32c(page));
  page.resize(kPageBytes);
  return page;
}

std::string encode_free_header() {
  std::string page(kFreeMagic);
  page.resize(kPageBytes);
  return page;
}

SegmentState decode_segment_header(std::string_view page, SegmentHeader& header) {
  CHECK(page.size() >= kPageBytes);
  if (page.starts_with(kFreeMagic)) return SegmentState::kFree;
  if (page.substr(0, 32).find_first_not_of('\0') == std::string_view::npos) {
    return SegmentState::kFree;
  }
  if (!page.starts_with(kSegmentMagic)) return SegmentState::kDamaged;
  if (crc32c(page.substr(0, 28)) != get<std::uint32_t>(page, 28)) return SegmentState::kDamaged;
  header.segment = get<std::uint64_t>(page, 8);
  header.nonce = get<std::uint64_t>(page, 16);
  header.capacity = get<std::uint32_t>(page, 24);
  return header.segment > 0 ? SegmentState::kInUse : SegmentState::kDamaged;
}

std::uint32_t batch_header_bytes(std::size_t runs) {
  return kBatchFixedBytes + static_cast<std::uint32_t>(runs) * kRunBytes;
}

std::string encode_batch_header(const BatchHeader& header) {
  CHECK(header.runs.size() <= kRunsMax);
  std::string out;
  out.reserve(batch_header_bytes(header.runs.size()));
  put<std::uint32_t>(out, kBatchMagic);
  put<std::uint32_t>(out, 0);  // crc of what follows, filled in below
  put<std::uint64_t>(out, header.nonce);
  put<std::uint64_t>(out, header.position.segment);
  put<std::uint32_t>(out, header.position.offset);
  put<std::uint32_t>(out, header.length);
  put<std::uint64_t>(out, header.synced.segment);
  put<std::uint32_t>(out, header.synced.offset);
  put<std::uint32_t>(out, static_cast<std::uint32_t>(header.runs.size()));
  put<std::uint64_t>(out, header.sequence);
  put<std::int64_t>(out, to_unix_ms(header.time));
  put<std::uint64_t>(out, header.oldest_reference);
  put<std::uint64_t>(out, header.flags);
  CHECK(out.size() == kBatchFixedBytes);
  for (const Run& run : header.runs) {
    put<std::uint8_t>(out, static_cast<std::uint8_t>(run.where.topic));
    put<std::uint8_t>(out, static_cast<std::uint8_t>(run.kind));
    put<std::uint16_t>(out, 0);
    put<std::uint32_t>(out, run.where.partition);
    put<std::int64_t>(out, run.first);
    put<std::uint32_t>(out, run.count);
    put<std::uint32_t>(out, run.offset);
    put<std::uint32_t>(out, run.length);
    put<std::uint32_t>(out, run.crc);
  }
  const std::uint32_t crc = crc32c(std::string_view(out).substr(8));
  std::memcpy(out.data() + 4, &crc, sizeof crc);
  return out;
}

std::uint32_t batch_header_bytes_wanted(std::string_view octets) {
  if (octets.size() < kBatchFixedBytes) return kBatchFixedBytes;
  return batch_header_bytes(std::min(get<std::uint32_t>(octets, 44), kRunsMax));
}

Decoded decode_batch_header(std::string_view octets, std::uint64_t nonce, StreamPosition position,
                            BatchHeader& batch) {
  if (octets.size() < kBatchFixedBytes) return Decoded::kNeedMore;
  // The nonce tells this use of the file from an earlier one; what lacks it was never written here.
  if (get<std::uint32_t>(octets, 0) != kBatchMagic || get<std::uint64_t>(octets, 8) != nonce) {
    return Decoded::kNone;
  }
  const auto runs = get<std::uint32_t>(octets, 44);
  if (runs > kRunsMax) return Decoded::kDamaged;
  const std::uint32_t header_bytes = batch_header_bytes(runs);
  if (octets.size() < header_bytes) return Decoded::kNeedMore;
  if (crc32c(octets.substr(8, header_bytes - 8)) != get<std::uint32_t>(octets, 4)) {
    return Decoded::kDamaged;
  }
  batch.nonce = nonce;
  batch.position = {get<std::uint64_t>(octets, 16), get<std::uint32_t>(octets, 24)};
  batch.length = get<std::uint32_t>(octets, 28);
  batch.synced = {get<std::uint64_t>(octets, 32), get<std::uint32_t>(octets, 40)};
  batch.sequence = get<std::uint64_t>(octets, 48);
  batch.time = from_unix_ms(get<std::int64_t>(octets, 56));
  batch.oldest_reference = get<std::uint64_t>(octets, 64);
  batch.flags = get<std::uint64_t>(octets, 72);
  // Written elsewhere and found here: the disk misplaced it.
  if (batch.position != position || batch.length < header_bytes) return Decoded::kDamaged;

  batch.runs.clear();
  batch.runs.reserve(runs);
  std::uint32_t expected_offset = header_bytes;
  for (std::uint32_t i = 0; i < runs; ++i) {
    const std::size_t at = kBatchFixedBytes + std::size_t{i} * kRunBytes;
    Run run;
    run.where.topic = static_cast<Topic>(get<std::uint8_t>(octets, at));
    run.kind = static_cast<RunKind>(get<std::uint8_t>(octets, at + 1));
    run.where.partition = get<std::uint32_t>(octets, at + 4);
    run.first = get<std::int64_t>(octets, at + 8);
    run.count = get<std::uint32_t>(octets, at + 16);
    run.offset = get<std::uint32_t>(octets, at + 20);
    run.length = get<std::uint32_t>(octets, at + 24);
    run.crc = get<std::uint32_t>(octets, at + 28);
    if (!sensible(run, expected_offset, batch.length)) return Decoded::kDamaged;
    expected_offset = run.offset + run.length;
    batch.runs.push_back(run);
  }
  return expected_offset == batch.length ? Decoded::kOk : Decoded::kDamaged;
}

void encode_record_head(std::string& out, std::string_view key, std::size_t value_bytes,
                        bool tombstone) {
  put<std::uint32_t>(out, static_cast<std::uint32_t>(value_bytes));
  put<std::uint16_t>(out, static_cast<std::uint16_t>(key.size()));
  put<std::uint16_t>(out, tombstone ? kTombstone : 0);
}

void encode_position(std::string& out, std::string_view group, const PositionChange& change) {
  CHECK(group.size() <= 255, "group name of {} octets", group.size());
  put<std::uint8_t>(out, static_cast<std::uint8_t>(group.size()));
  out.append(group);
  put<std::uint8_t>(out, static_cast<std::uint8_t>(change.where.topic));
  put<std::uint32_t>(out, change.where.partition);
  put<std::int64_t>(out, change.next);
}

bool RunReader::next(RawRecord& record) {
  if (left_.size() < kRecordHeadBytes) return false;
  const std::size_t value_bytes = get<std::uint32_t>(left_, 0);
  const std::size_t key_bytes = get<std::uint16_t>(left_, 4);
  const bool tombstone = (get<std::uint16_t>(left_, 6) & kTombstone) != 0;
  const std::string_view body = left_.substr(kRecordHeadBytes);
  if (key_bytes > body.size() || value_bytes > body.size() - key_bytes) return false;
  record.key = body.substr(0, key_bytes);
  record.value.reset();
  if (!tombstone) record.value = body.substr(key_bytes, value_bytes);
  left_ = body.substr(key_bytes + value_bytes);
  return true;
}

bool RunReader::next(std::string_view& group, PositionChange& change) {
  if (left_.empty()) return false;
  const std::size_t group_bytes = get<std::uint8_t>(left_, 0);
  if (left_.size() < 1 + group_bytes + 13) return false;
  group = left_.substr(1, group_bytes);
  const std::string_view rest = left_.substr(1 + group_bytes);
  if (!known_topic(get<std::uint8_t>(rest, 0))) return false;
  change.where = {static_cast<Topic>(get<std::uint8_t>(rest, 0)), get<std::uint32_t>(rest, 1)};
  change.next = get<std::int64_t>(rest, 5);
  left_ = rest.substr(13);
  return true;
}

}  // namespace godwit::log
