#include "common/log/committer.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace godwit::log {
namespace {

constexpr std::chrono::milliseconds kSpaceWait{100};
constexpr int kOtherSegmentsMax = 2;

Error as_log_error(const Error& error) {
  const bool full = error.code == store::Errc::kNoSpace;
  return {full ? Errc::kNoSpace : Errc::kIo, error.to_string()};
}

}  // namespace

Committer::Committer(CommitterConfig config, SegmentSet& segments, PartitionTable& partitions,
                     TableApplier& applier, Space& space, Counters& counters, const Clock& clock)
    : config_(config),
      segments_(segments),
      partitions_(partitions),
      applier_(applier),
      space_(space),
      counters_(counters),
      clock_(clock) {}

Committer::~Committer() {
  stop();
}

void Committer::start(std::shared_ptr<Segment> active, StreamPosition synced,
                      std::uint64_t next_sequence) {
  active_ = std::move(active);
  synced_ = synced;
  next_sequence_ = next_sequence;
  thread_ = std::thread([this] { run(); });
}

void Committer::stop() {
  intake_.stop();
  if (thread_.joinable()) thread_.join();
}

void Committer::submit(WritePtr write) {
  intake_.push(std::move(write));
}

std::string Committer::problem() const {
  const std::lock_guard lock(problem_mutex_);
  return problem_;
}

void Committer::run() {
  while (true) {
    intake_.wait(sync_due());
    gather();
    while (!pending_.empty()) {
      write_batch(next_batch());
      gather();
    }
    if (unsynced_since_ && (intake_.stopped() || std::chrono::steady_clock::now() >= sync_due())) {
      sync();
    }
    if (intake_.stopped()) {
      gather();
      if (pending_.empty() && in_flight_.empty()) return;
    }
  }
}

Committer::Instant Committer::sync_due() const {
  if (unsynced_since_) return *unsynced_since_ + config_.commit_sync_delay_max;
  return std::chrono::steady_clock::now() + std::chrono::hours(1);
}

void Committer::gather() {
  for (WritePtr& write : intake_.take()) pending_.push_back(std::move(write));
}

std::vector<WritePtr> Committer::next_batch() {
  std::vector<WritePtr> writes;
  std::uint64_t bytes = 0;
  while (!pending_.empty()) {
    bytes += pending_.front()->bytes;
    if (!writes.empty() && bytes > config_.batch_bytes_max) break;
    writes.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return writes;
}

void Committer::fail_all(std::vector<WritePtr>& writes, const Error& error) {
  for (WritePtr& write : writes) write->finish(fail(error));
  writes.clear();
}

void Committer::write_batch(std::vector<WritePtr> writes) {
  if (broken_) return fail_all(writes, {Errc::kUnavailable, broken_->to_string()});
  auto encoder = std::make_unique<BatchEncoder>(writes);
  const auto outside = [](const WritePtr& write) { return write->from_outside; };
  Room room = make_room(encoder->bytes_padded(), std::ranges::any_of(writes, outside));
  if (room == Room::kNotForOutside) {
    std::vector<WritePtr> refused;
    std::vector<WritePtr> kept;
    for (WritePtr& write : writes) (outside(write) ? refused : kept).push_back(std::move(write));
    counters_.refused_no_space_total.fetch_add(refused.size(), std::memory_order_relaxed);
    fail_all(refused, {Errc::kNoSpace, "only the reserve is left"});
    if (kept.empty()) return;
    writes = std::move(kept);
    encoder = std::make_unique<BatchEncoder>(writes);
    room = make_room(encoder->bytes_padded(), /*outside=*/false);
  }
  if (room == Room::kNone) {
    if (!broken_) return fail_all(writes, {Errc::kNoSpace, "the disk is full"});
    return fail_all(writes, {Errc::kUnavailable, broken_->to_string()});
  }
  const bool sync_now = std::ranges::any_of(writes, &Write::urgent);
  encoder->encode([this](TopicPartition where) -> Offset& { return next_offset(where); },
                  clock_.now(), next_sequence_++, oldest_reference(writes));
  counters_.records_total.fetch_add(encoder->record_count(), std::memory_order_relaxed);
  in_flight_.push_back({std::move(writes), std::move(encoder), false});
  counters_.unsynced_batches = in_flight_.size();
  if (!unsynced_since_) unsynced_since_ = std::chrono::steady_clock::now();

  if (const auto placed = place(in_flight_.back()); !placed) {
    counters_.sync_failures_total.fetch_add(1, std::memory_order_relaxed);
    active_->suspect = true;
    if (!write_elsewhere()) return break_down(placed.error());
    return;  // synced there
  }
  if (sync_now) {
    sync();
  } else {
    publish(in_flight_.back(), /*synced=*/false);
  }
}

Committer::Room Committer::make_room(std::uint64_t bytes, bool outside) {
  if (active_ && active_->end + bytes <= active_->capacity) return Room::kThere;
  CHECK(kPageBytes + bytes <= segments_.capacity(), "a batch of {} octets", bytes);
  // A segment is synced before the next gets its first batch.
  if (unsynced_since_) sync();
  while (!broken_) {
    const std::size_t free = segments_.free();
    const bool enough = outside ? free > config_.reserve_segments : free > 0;
    if (enough && begin_segment()) return Room::kThere;
    if (space_.disk_fails() && free == 0) {
      break_down({Errc::kIo, "no segment can be made"});
      break;
    }
    if (space_.exhausted()) {
      if (outside) return Room::kNotForOutside;
      refuse_outside();
    }
    if (intake_.stopped()) return outside ? Room::kNotForOutside : Room::kNone;
    space_.ask(kSpaceWait);
  }
  return Room::kNone;
}

void Committer::refuse_outside() {
  gather();
  for (WritePtr& write : pending_) {
    if (!write->from_outside) continue;
    counters_.refused_no_space_total.fetch_add(1, std::memory_order_relaxed);
    write->finish(fail(Errc::kNoSpace, "only the reserve is left"));
    write.reset();
  }
  std::erase(pending_, nullptr);
}

bool Committer::begin_segment() {
  auto begun = segments_.begin();
  if (!begun || *begun == nullptr) return false;
  active_ = *std::move(begun);
  space_.nudge();
  return true;
}

Result<void> Committer::place(InFlight& batch) {
  active_->refer_to(batch.encoder->header().oldest_reference);
  const auto& pieces = batch.encoder->place(active_->position(), active_->nonce, synced_);
  if (const auto written = active_->file->write(active_->end, pieces); !written) {
    return fail(as_log_error(written.error()).within(active_->file_name));
  }
  active_->content.add(batch.encoder->header());
  active_->end += batch.encoder->header().length_padded();
  counters_.batches_total.fetch_add(1, std::memory_order_relaxed);
  counters_.batch_bytes_total.fetch_add(batch.encoder->bytes_padded(), std::memory_order_relaxed);
  return {};
}

void Committer::sync() {
  const auto begun = std::chrono::steady_clock::now();
  const auto synced = active_->file->sync();
  counters_.sync_nanoseconds_total.fetch_add(
      static_cast<std::uint64_t>((std::chrono::steady_clock::now() - begun).count()),
      std::memory_order_relaxed);
  counters_.syncs_total.fetch_add(1, std::memory_order_relaxed);
  if (!synced) {
    counters_.sync_failures_total.fetch_add(1, std::memory_order_relaxed);
    active_->suspect = true;
    if (!write_elsewhere()) break_down(as_log_error(synced.error()).within(active_->file_name));
    return;
  }
  complete();
}

bool Committer::write_elsewhere() {
  // The first batch of the next segment carries `synced_`: whoever reads the log ends the segment that failed
  // there, whatever of its unsynced part did reach the disk.
  active_->end = synced_.segment == active_->number ? synced_.offset : kPageBytes;
  for (int attempt = 0; attempt < kOtherSegmentsMax; ++attempt) {
    if (!begin_segment()) continue;
    Result<void> written;
    for (InFlight& batch : in_flight_) {
      written = place(batch);
      if (!written) break;
    }
    if (written) {
      const auto synced = active_->file->sync();
      counters_.syncs_total.fetch_add(1, std::memory_order_relaxed);
      if (synced) {
        complete();
        return true;
      }
    }
    active_->suspect = true;
    active_->end = kPageBytes;
    counters_.sync_failures_total.fetch_add(1, std::memory_order_relaxed);
  }
  return false;
}

void Committer::break_down(Error error) {
  broken_ = error;
  {
    const std::lock_guard lock(problem_mutex_);
    problem_ = error.to_string();
  }
  // First, so that whoever is told "unknown" and tries again is told "unavailable".
  if (broken_handler_) broken_handler_(error);
  for (InFlight& batch : in_flight_) {
    fail_all(batch.writes, {Errc::kUnknown, error.to_string()});
  }
  in_flight_.clear();
  unsynced_since_.reset();
}

void Committer::publish(InFlight& batch, bool synced) {
  if (!batch.visible) {
    for (const Run& run : batch.encoder->header().runs) {
      if (run.kind != RunKind::kRecords) continue;
      partitions_.at(run.where).add(batch.encoder->records_of(run, /*move=*/synced));
    }
    batch.visible = true;
  }
  if (!synced) return;
  const BatchHeader& header = batch.encoder->header();
  for (const Run& run : header.runs) {
    if (run.kind != RunKind::kRecords) continue;
    PartitionLog& partition = partitions_.at(run.where);
    partition.harden(active_, run, header.position.offset, header.time);
    tail_cache_.push_back({&partition, run.count, run.length});
    tail_cache_bytes_ += run.length;
  }
}

void Committer::complete() {
  synced_ = active_->position();
  unsynced_since_.reset();
  std::vector<WritePtr> to_apply;
  std::vector<WritePtr> finished;
  for (InFlight& batch : in_flight_) {
    publish(batch, /*synced=*/true);
    for (WritePtr& write : batch.writes) {
      (write->only_appends() && write->group.empty() ? finished : to_apply)
          .push_back(std::move(write));
    }
  }
  in_flight_.clear();
  counters_.unsynced_batches = 0;
  trim_tail_cache();
  applier_.submit(std::move(to_apply), synced_);
  for (WritePtr& write : finished) write->finish({});
}

void Committer::trim_tail_cache() {
  while (tail_cache_bytes_ > config_.tail_cache_bytes && !tail_cache_.empty()) {
    const Cached& oldest = tail_cache_.front();
    oldest.partition->evict(oldest.records);
    tail_cache_bytes_ -= oldest.bytes;
    tail_cache_.pop_front();
  }
  counters_.tail_cache_bytes.store(tail_cache_bytes_, std::memory_order_relaxed);
}

std::uint64_t Committer::oldest_reference(const std::vector<WritePtr>& writes) const {
  std::uint64_t oldest = active_->number;
  for (const WritePtr& write : writes) {
    for (const Append& append : write->batch.appends) {
      if (!append.refers_to) continue;
      const PartitionLog& partition = partitions_.at(append.refers_to->where);
      if (const auto segment = partition.segment_of(append.refers_to->offset)) {
        oldest = std::min(oldest, *segment);
      }
    }
  }
  return oldest;
}

Offset& Committer::next_offset(TopicPartition where) {
  const auto [found, added] = next_offsets_.try_emplace(where, 0);
  if (added) found->second = partitions_.at(where).visible_end();
  return found->second;
}

}  // namespace godwit::log
