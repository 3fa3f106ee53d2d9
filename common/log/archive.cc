#include "common/log/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "common/base/crc32c.h"
#include "common/log/segment_scan.h"

namespace godwit::log {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kTimeBytes = 8;
// Batch flag: the last one of its source segment.
constexpr std::uint64_t kEndsSegment = 2;

Error as_log_error(const Error& error) {
  const bool full = error.code == store::Errc::kNoSpace;
  return {full ? Errc::kNoSpace : Errc::kIo, error.to_string()};
}

std::optional<Rope> default_policy(TopicPartition where, const Record& record) {
  if (where.topic == Topic::kEvents || where.topic == Topic::kAudit) return record.value;
  return std::nullopt;
}

std::string encode_time(Timestamp time) {
  const std::int64_t ms = to_unix_ms(time);
  return {reinterpret_cast<const char*>(&ms), sizeof ms};
}
Timestamp decode_time(std::string_view octets) {
  std::int64_t ms = 0;
  std::copy_n(octets.data(), sizeof ms, reinterpret_cast<char*>(&ms));
  return from_unix_ms(ms);
}

}  // namespace

Archive::Archive(store::FileSystem& files, std::filesystem::path directory, ArchivePolicy policy,
                 std::chrono::hours retention, Counters& counters, const Clock& clock)
    : files_(files),
      directory_(std::move(directory)),
      policy_(policy ? std::move(policy) : default_policy),
      retention_(retention),
      counters_(counters),
      clock_(clock) {}

Result<void> Archive::open(bool writes) {
  const auto names = files_.list(directory_);
  if (!names) return fail(as_log_error(names.error()));
  for (const std::string& name : *names) {
    if (name.ends_with(".archive")) TRY_VOID(open_file(name, writes));
  }
  return {};
}

Result<void> Archive::open_file(const std::string& name, bool writes) {
  auto file = files_.open(directory_ / name, writes ? store::Mode::kWrite : store::Mode::kRead);
  if (!file) return fail(as_log_error(file.error()));
  std::string page(kPageBytes, '\0');
  const auto count = (*file)->read(0, page);
  if (!count) return fail(as_log_error(count.error()).within(name));
  SegmentHeader header;
  if (decode_segment_header(page, header) != SegmentState::kInUse) {
    // Begun, and the power went before anything was in it: its records are still in their segment.
    if (writes) (void)files_.remove(directory_ / name);
    return {};
  }
  auto archive = std::make_shared<Segment>();
  archive->number = header.segment;
  archive->nonce = header.nonce;
  archive->capacity = header.capacity;
  archive->file_name = name;
  archive->file = *std::move(file);
  std::uint32_t at = kPageBytes;
  std::string buffer;
  BatchHeader batch;
  while (true) {
    TRY(const Decoded decoded, read_batch_header(*archive, at, batch, buffer));
    if (decoded != Decoded::kOk) break;
    // Left over from an attempt that failed and was written over.
    if (batch.sequence < next_sequence_) break;
    next_sequence_ = batch.sequence + 1;
    at += batch.length_padded();
    if ((batch.flags & kEndsSegment) == 0) continue;
    archive->end = at;
    archive->content.last_time = std::max(archive->content.last_time, batch.time);
    archived_through_ = std::max(archived_through_, batch.oldest_reference);
  }
  archives_.push_back(std::move(archive));
  return {};
}

Result<void> Archive::begin_file() {
  auto archive = std::make_shared<Segment>();
  archive->number = archives_.empty() ? 1 : archives_.back()->number + 1;
  std::random_device device;
  archive->nonce = std::uint64_t{device()} << 32 | device();
  archive->capacity = 0xffffffff;
  archive->file_name = fmt::format("{:08}.archive", archive->number);
  auto file = files_.open(directory_ / archive->file_name, store::Mode::kCreate);
  if (!file) return fail(as_log_error(file.error()));
  archive->file = *std::move(file);
  const std::string page =
      encode_segment_header({archive->number, archive->nonce, archive->capacity});
  const std::string_view piece = page;
  if (const auto written = archive->file->write(0, std::span(&piece, 1)); !written) {
    (void)files_.remove(directory_ / archive->file_name);
    return fail(as_log_error(written.error()));
  }
  if (const auto synced = files_.sync_directory(directory_); !synced) {
    return fail(as_log_error(synced.error()));
  }
  const std::lock_guard lock(mutex_);
  archives_.push_back(std::move(archive));
  return {};
}

std::uint64_t Archive::archived_through() const {
  const std::lock_guard lock(mutex_);
  return archived_through_;
}

Result<std::vector<Archive::Entry>> Archive::collect(const Segment& segment) const {
  std::vector<Entry> entries;
  std::string buffer;
  BatchHeader batch;
  const Timestamp oldest = clock_.now() - retention_;
  for (std::uint32_t at = kPageBytes; at < segment.end; at += batch.length_padded()) {
    TRY(const Decoded decoded, read_batch_header(segment, at, batch, buffer));
    if (decoded != Decoded::kOk) {
      return fail(Errc::kCorrupt, segment.file_name + " " + to_string({segment.number, at}));
    }
    if (batch.time < oldest) continue;
    TRY(const std::string octets, read_batch(segment, batch));
    for (const Run& run : batch.runs) {
      if (run.kind != RunKind::kRecords) continue;
      RunReader reader(std::string_view(octets).substr(run.offset, run.length));
      RawRecord raw;
      for (Offset offset = run.first; reader.next(raw); ++offset) {
        if (!raw.value) continue;
        const Record record{.offset = offset,
                            .time = batch.time,
                            .key = std::string(raw.key),
                            .value = Rope(Bytes::of_static(*raw.value))};
        if (const auto kept = policy_(run.where, record)) {
          entries.push_back({run.where, offset, batch.time, record.key, kept->to_string()});
        }
      }
    }
  }
  return entries;
}

Result<void> Archive::add(const Segment& segment) {
  if (segment.number <= archived_through()) return {};
  TRY(std::vector<Entry> entries, collect(segment));
  if (!entries.empty()) {
    if (archives_.empty() || archives_.back()->end > kFileBytes) TRY_VOID(begin_file());
    const std::size_t count = entries.size();
    TRY_VOID(write_entries(std::move(entries), segment.number));
    if (const auto synced = archives_.back()->file->sync(); !synced) {
      // What was written may be there or not: it is left behind, with the file.
      archives_.back()->end = kFileBytes + 1;
      return fail(as_log_error(synced.error()));
    }
    counters_.archived_records_total.fetch_add(count, std::memory_order_relaxed);
  }
  const std::lock_guard lock(mutex_);
  archived_through_ = segment.number;
  return {};
}

Result<void> Archive::write_entries(std::vector<Entry> entries, std::uint64_t source) {
  Segment& archive = *archives_.back();
  const std::uint32_t begin = archive.end;
  std::vector<Entry> batch;
  std::size_t bytes = 0;
  const auto flush = [&](bool last) {
    bytes = 0;
    return write(std::exchange(batch, {}), source, last);
  };
  Result<void> written;
  for (Entry& entry : entries) {
    bytes += entry.key.size() + entry.value.size();
    batch.push_back(std::move(entry));
    if (bytes > kBatchBytes || batch.size() >= kRunsMax) written = flush(/*last=*/false);
    if (!written) break;
  }
  if (written) written = flush(/*last=*/true);
  if (!written) {  // to be written over
    const std::lock_guard lock(mutex_);
    archive.end = begin;
  }
  return written;
}

Result<void> Archive::write(std::vector<Entry> entries, std::uint64_t source, bool last) {
  Segment& archive = *archives_.back();
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.where != b.where ? a.where < b.where : a.offset < b.offset;
  });
  BatchHeader header;
  std::string body;
  for (const Entry& entry : entries) {
    header.time = std::max(header.time, entry.time);
    const bool follows = !header.runs.empty() && header.runs.back().where == entry.where &&
                         header.runs.back().next() == entry.offset;
    if (!follows) {
      header.runs.push_back({.kind = RunKind::kRecords,
                             .where = entry.where,
                             .first = entry.offset,
                             .offset = static_cast<std::uint32_t>(body.size())});
    }
    const std::string key = encode_time(entry.time) + entry.key;
    encode_record_head(body, key, entry.value.size(), /*tombstone=*/false);
    body += key;
    body += entry.value;
    Run& run = header.runs.back();
    ++run.count;
    run.length = static_cast<std::uint32_t>(body.size()) - run.offset;
  }
  const std::uint32_t head_bytes = batch_header_bytes(header.runs.size());
  for (Run& run : header.runs) {
    run.crc = crc32c(std::string_view(body).substr(run.offset, run.length));
    run.offset += head_bytes;
  }
  header.nonce = archive.nonce;
  header.position = archive.position();
  header.length = head_bytes + static_cast<std::uint32_t>(body.size());
  header.synced = {};
  header.sequence = next_sequence_++;
  header.oldest_reference = source;
  header.flags = last ? kEndsSegment : 0;
  const std::string head = encode_batch_header(header);
  body.resize(header.length_padded() - head_bytes);
  const std::string_view pieces[] = {head, body};
  if (const auto written = archive.file->write(archive.end, pieces); !written) {
    return fail(as_log_error(written.error()).within(archive.file_name));
  }
  const std::lock_guard lock(mutex_);
  archive.end += header.length_padded();
  archive.content.last_time = std::max(archive.content.last_time, header.time);
  return {};
}

void Archive::expire() {
  const Timestamp oldest = clock_.now() - retention_;
  const std::lock_guard lock(mutex_);
  while (archives_.size() > 1 && archives_.front()->content.last_time < oldest) {
    (void)files_.remove(directory_ / archives_.front()->file_name);
    archives_.erase(archives_.begin());
  }
}

Result<void> Archive::visit(Topic topic, Timestamp since, const VisitHistory& visit,
                            bool& more) const {
  std::vector<std::pair<std::shared_ptr<Segment>, std::uint32_t>> archives;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& archive : archives_) archives.emplace_back(archive, archive->end);
  }
  std::string buffer;
  BatchHeader batch;
  for (const auto& [archive, end] : archives) {
    for (std::uint32_t at = kPageBytes; at < end; at += batch.length_padded()) {
      TRY(const Decoded decoded, read_batch_header(*archive, at, batch, buffer));
      if (decoded != Decoded::kOk) {
        return fail(Errc::kCorrupt, archive->file_name + " position " + std::to_string(at));
      }
      const auto wanted = [&](const Run& run) { return run.where.topic == topic; };
      if (batch.time < since || std::ranges::none_of(batch.runs, wanted)) continue;
      TRY(const std::string octets, read_batch(*archive, batch));
      for (const Run& run : batch.runs) {
        if (!wanted(run)) continue;
        RunReader reader(std::string_view(octets).substr(run.offset, run.length));
        RawRecord raw;
        for (Offset offset = run.first; reader.next(raw); ++offset) {
          if (!raw.value || raw.key.size() < kTimeBytes) continue;
          const Timestamp time = decode_time(raw.key);
          if (time < since) continue;
          more = visit({run.where,
                        {.offset = offset,
                         .time = time,
                         .key = std::string(raw.key.substr(kTimeBytes)),
                         .value = Rope(Bytes::copy_of(*raw.value))}});
          if (!more) return {};
        }
      }
    }
  }
  return {};
}

}  // namespace godwit::log
