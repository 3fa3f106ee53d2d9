#include "common/log/partition_log.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/crc32c.h"

namespace godwit::log {
namespace {

void wake_all(std::vector<std::shared_ptr<Waiter>> waiters) {
  for (const auto& waiter : waiters) {
    const std::lock_guard lock(waiter->mutex);
    if (Wake wake = std::exchange(waiter->wake, nullptr)) wake();
  }
}

std::size_t bytes_of(const Record& record) {
  return record.key.size() + record.value.size();
}

Error corrupt(const RunRead& run, std::string_view what) {
  return {Errc::kCorrupt, run.segment->file_name + " " +
                              to_string({run.segment->number, run.place.offset}) + ": " +
                              std::string(what)};
}

}  // namespace

Result<std::vector<Record>> read_run(const RunRead& run) {
  if (run.place.length == 0) return fail(corrupt(run, "lost before a repair"));
  auto buffer = std::make_shared<std::vector<char>>(run.place.length);
  const auto count = run.segment->file->read(run.place.offset, *buffer);
  if (!count) return fail(Errc::kIo, count.error().to_string());
  const std::string_view octets(buffer->data(), *count);
  if (octets.size() != run.place.length || crc32c(octets) != run.place.crc) {
    return fail(corrupt(run, "records do not have their checksum"));
  }
  std::vector<Record> records;
  records.reserve(static_cast<std::size_t>(run.next - run.first));
  RunReader reader(octets);
  RawRecord raw;
  while (reader.next(raw)) {
    if (!raw.value) return fail(corrupt(run, "a tombstone in a topic"));
    records.push_back({.offset = run.first + static_cast<Offset>(records.size()),
                       .time = run.time,
                       .key = std::string(raw.key),
                       .value = Rope(Bytes(buffer, *raw.value))});
  }
  if (!reader.at_end() || static_cast<Offset>(records.size()) != run.next - run.first) {
    return fail(corrupt(run, "records do not fill their run"));
  }
  return records;
}

void PartitionLog::start_at(Offset next) {
  const std::lock_guard lock(mutex_);
  if (next <= visible_end_) return;
  visible_end_ = durable_end_ = next;
  if (segments_.empty() || segments_.back().next >= next) return;
  // The newest records could not be read: a hole, as between others.
  SegmentRuns& runs = segments_.back();
  runs.runs.push_back({.delta = static_cast<std::uint32_t>(runs.next - runs.first)});
  runs.next = next;
}

void PartitionLog::add(std::vector<Record> records) {
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const std::lock_guard lock(mutex_);
    for (Record& record : records) {
      CHECK(record.offset == visible_end_, "offset {} after {}", record.offset, visible_end_);
      ++visible_end_;
      cache_.push_back(std::move(record));
    }
    waiters.swap(waiters_);
  }
  wake_all(std::move(waiters));
}

void PartitionLog::harden(const std::shared_ptr<const Segment>& segment, const Run& run,
                          std::uint32_t batch_offset, Timestamp time) {
  const std::lock_guard lock(mutex_);
  // Offsets follow each other, except behind what could not be read: there is a hole.
  const Offset follows = segments_.empty() ? run.first : segments_.back().next;
  if (segments_.empty() || segments_.back().segment != segment) {
    if (!segments_.empty()) segments_.back().runs.shrink_to_fit();
    segments_.push_back({segment, follows, follows, time, {}});
  }
  SegmentRuns& runs = segments_.back();
  if (follows < run.first) {
    runs.runs.push_back({.delta = static_cast<std::uint32_t>(follows - runs.first)});
  }
  runs.runs.push_back({.delta = static_cast<std::uint32_t>(run.first - runs.first),
                       .offset = batch_offset + run.offset,
                       .length = run.length,
                       .crc = run.crc,
                       .time_ms = static_cast<std::uint32_t>(
                           std::clamp<std::int64_t>((time - runs.time).count(), 0, 0xffffffff))});
  runs.next = run.next();
  durable_end_ = run.next();
  visible_end_ = std::max(visible_end_, durable_end_);
}

void PartitionLog::evict(std::size_t count) {
  const std::lock_guard lock(mutex_);
  CHECK(count <= cache_.size(), "{} of {}", count, cache_.size());
  cache_.erase(cache_.begin(), cache_.begin() + static_cast<std::ptrdiff_t>(count));
}

void PartitionLog::forget(const Segment& segment) {
  const std::lock_guard lock(mutex_);
  if (!segments_.empty() && segments_.front().segment.get() == &segment) segments_.pop_front();
}

void PartitionLog::close() {
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiters.swap(waiters_);
  }
  wake_all(std::move(waiters));
}

Offset PartitionLog::start_locked() const {
  const Offset cached = visible_end_ - static_cast<Offset>(cache_.size());
  return segments_.empty() ? cached : std::min(cached, segments_.front().first);
}

Offset PartitionLog::start() const {
  const std::lock_guard lock(mutex_);
  return start_locked();
}

Offset PartitionLog::visible_end() const {
  const std::lock_guard lock(mutex_);
  return visible_end_;
}

Offset PartitionLog::durable_end() const {
  const std::lock_guard lock(mutex_);
  return durable_end_;
}

std::optional<RunRead> PartitionLog::run_of(Offset offset) const {
  // The last segment that begins at or below the offset, and the last run that does, in it.
  auto segment = std::ranges::upper_bound(segments_, offset, {}, &SegmentRuns::first);
  if (segment == segments_.begin()) return std::nullopt;
  --segment;
  if (offset >= segment->next) return std::nullopt;
  const auto delta = static_cast<std::uint32_t>(offset - segment->first);
  auto run = std::ranges::upper_bound(segment->runs, delta, {}, &RunPlace::delta);
  CHECK(run != segment->runs.begin());
  const Offset next = run == segment->runs.end() ? segment->next : segment->first + run->delta;
  --run;
  return RunRead{.segment = segment->segment,
                 .place = *run,
                 .first = segment->first + run->delta,
                 .next = next,
                 .time = segment->time + std::chrono::milliseconds(run->time_ms)};
}

std::optional<Offset> PartitionLog::hole_end(Offset offset) const {
  const std::lock_guard lock(mutex_);
  const auto run = run_of(offset);
  if (!run || run->place.length > 0) return std::nullopt;
  return run->next;
}

std::optional<std::uint64_t> PartitionLog::segment_of(Offset offset) const {
  const std::lock_guard lock(mutex_);
  const auto run = run_of(offset);
  if (!run) return std::nullopt;
  return run->segment->number;
}

PartitionLog::Found PartitionLog::find(Offset next, std::size_t records_max,
                                       std::size_t bytes_max) const {
  const std::lock_guard lock(mutex_);
  Found found;
  if (closed_) {
    found.error = Errc::kClosed;
    return found;
  }
  if (next >= visible_end_) return found;
  const Offset cached = visible_end_ - static_cast<Offset>(cache_.size());
  if (next < cached) {
    found.run = run_of(next);
    if (!found.run) found.error = Errc::kNotFound;
    return found;
  }
  std::size_t bytes = 0;
  for (auto at = static_cast<std::size_t>(next - cached); at < cache_.size(); ++at) {
    const Record& record = cache_[at];
    bytes += bytes_of(record);
    if (!found.records.empty() && (bytes > bytes_max || found.records.size() >= records_max)) break;
    found.records.push_back(record);
  }
  return found;
}

bool PartitionLog::arm(const std::shared_ptr<Waiter>& waiter, Offset next) {
  const std::lock_guard lock(mutex_);
  if (closed_ || next < visible_end_) return true;
  if (std::ranges::find(waiters_, waiter) == waiters_.end()) waiters_.push_back(waiter);
  return false;
}

void PartitionLog::disarm(const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  std::erase(waiters_, waiter);
}

}  // namespace godwit::log
