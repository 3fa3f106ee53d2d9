#include "common/log/keeper.h"

#include <algorithm>
#include <utility>

namespace godwit::log {
namespace {

constexpr std::chrono::milliseconds kPeriod{500};
// Made ahead of need, above the reserve.
constexpr std::uint32_t kSegmentsAhead = 2;
// Between compactions of tables on a full disk; longer after one that took long.
constexpr std::chrono::seconds kCompactionPause{5};
constexpr int kCompactionShare = 10;

// Topics whose records are mail, or become mail: what nobody has read yet is never dropped.
bool carries_mail(Topic topic) {
  switch (topic) {
    case Topic::kAccepted:
    case Topic::kAcceptedUrgent:
    case Topic::kOutbound:
    case Topic::kOutboundUrgent:
    case Topic::kReports: return true;
    default: return false;
  }
}

}  // namespace

Keeper::Keeper(KeeperConfig config, store::FileSystem& files, SegmentSet& segments,
               PartitionTable& partitions, TableState& tables, TableApplier& applier,
               Archive& archive, Space& space, Counters& counters, const Clock& clock)
    : config_(std::move(config)),
      files_(files),
      segments_(segments),
      partitions_(partitions),
      tables_(tables),
      applier_(applier),
      archive_(archive),
      space_(space),
      counters_(counters),
      clock_(clock) {}

Keeper::~Keeper() {
  stop();
}

void Keeper::start(StreamPosition checkpoint, std::uint64_t needed_from) {
  checkpoint_ = checkpoint;
  needed_from_ = needed_from;
  run_once();
  thread_ = std::thread([this] {
    while (!stopping_) {
      space_.wait_asked(kPeriod);
      run_once();
    }
  });
}

void Keeper::stop() {
  stopping_ = true;
  space_.nudge();
  if (thread_.joinable()) thread_.join();
  if (compaction_.valid()) compaction_.wait();
}

void Keeper::run_once() {
  checkpoint_if_due();
  free_segments();
  make_segments();
  report_space();
  compact_if_full();
  archive_.expire();
}

std::string Keeper::problem() const {
  const std::lock_guard lock(problem_mutex_);
  return problem_;
}

Result<void> Keeper::checkpoint() {
  const auto next_offsets = [this] {
    std::vector<PositionChange> next;
    for (const TopicPartition where : partitions_.all()) {
      const Offset end = partitions_.at(where).durable_end();
      if (end > 0) next.push_back({where, end});
    }
    return next;
  };
  const std::uint64_t needed_from = oldest_needed();
  auto marked = applier_.mark_checkpoint(needed_from, next_offsets);
  Result<void> flushed;
  if (marked) {
    flushed = tables_.store().flush();
    if (!flushed) flushed = fail(from_store(flushed.error()));
  } else {
    flushed = fail(marked.error());
  }
  const std::lock_guard lock(problem_mutex_);
  if (!flushed) {
    counters_.checkpoint_failures_total.fetch_add(1, std::memory_order_relaxed);
    problem_ = "tables: " + flushed.error().to_string();
    (void)tables_.resume();
    return flushed;
  }
  counters_.checkpoints_total.fetch_add(1, std::memory_order_relaxed);
  problem_.clear();
  checkpoint_ = *marked;
  needed_from_ = needed_from;
  return {};
}

void Keeper::checkpoint_if_due() {
  if (checkpoint_.segment < segments_.newest_number() || needed_from_ < oldest_needed()) {
    (void)checkpoint();
  }
}

void Keeper::free_segments() {
  while (true) {
    const std::shared_ptr<Segment> oldest = segments_.oldest();
    if (!oldest || oldest->number >= std::min(needed_from_, checkpoint_.segment)) return;
    // A tool that reads the history keeps everything for as long as it does.
    const std::unique_lock pinned(pin_mutex_, std::try_to_lock);
    if (!pinned || !free_oldest(oldest)) return;
  }
}

std::uint64_t Keeper::oldest_needed() const {
  auto live = segments_.live();
  while (live.size() > 1 && !is_needed(*live.front(), live)) live.erase(live.begin());
  return live.empty() ? 0 : live.front()->number;
}

bool Keeper::is_needed(const Segment& oldest,
                       const std::vector<std::shared_ptr<Segment>>& live) const {
  if (oldest.content.last_body_time + config_.unreferenced_body_hold > clock_.now()) return true;
  if (has_unread(oldest)) return true;
  // Positions first, the newest references after: a commit that moves a position past one record and writes
  // another that refers to the same content has written it before the position moves.
  // The last of `live` belongs to the commit thread, which may be writing it.
  for (std::size_t i = 1; i + 1 < live.size(); ++i) {
    if (live[i]->oldest_reference <= oldest.number && has_unread(*live[i])) return true;
  }
  // The one being written, and any that was begun meanwhile, may get unread records at any time.
  return std::ranges::any_of(segments_.live(), [&](const auto& segment) {
    return segment->number >= live.back()->number && segment->oldest_reference <= oldest.number;
  });
}

bool Keeper::has_unread(const Segment& segment) const {
  return std::ranges::any_of(segment.content.records, [&](const auto& entry) {
    const auto& [where, offsets] = entry;
    const auto lowest = tables_.lowest_position(where);
    if (lowest) return *lowest < offsets.next;
    return carries_mail(where.topic);
  });
}

bool Keeper::free_oldest(const std::shared_ptr<Segment>& segment) {
  auto archived = archive_.add(*segment);
  if (!archived && archived.error().code == Errc::kNoSpace && segments_.give_back(1)) {
    // A segment is worth more as room for what must outlive the others: it comes back with the one freed.
    archived = archive_.add(*segment);
  }
  if (!archived) {
    const std::lock_guard lock(problem_mutex_);
    problem_ = "archive: " + archived.error().to_string();
    return false;
  }
  partitions_.forget(*segment);
  // Two hold it, the caller and the set; a third is a reader that found it before: next time.
  if (segment.use_count() > 2) return false;
  return segments_.recycle_oldest().has_value();
}

void Keeper::make_segments() {
  const auto available = files_.free_bytes(config_.directory);
  std::uint64_t bytes = available ? *available : 0;
  // Only commits may use the reserve: one segment more is made for them even when the tables' part is touched.
  while (segments_.free() < config_.reserve_segments + kSegmentsAhead && !stopping_) {
    const bool last_resort = segments_.free() == 0;
    const bool room = bytes >= config_.reserve_table_bytes + segments_.capacity();
    exhausted_ = !room && !last_resort;
    if (!exhausted_) {
      const auto made = segments_.make();
      exhausted_ = !made;
      disk_fails_ = !made && made.error().code != Errc::kNoSpace;
    }
    if (exhausted_) break;
    bytes -= std::min<std::uint64_t>(bytes, segments_.capacity());
    report_space();
  }
  if (segments_.free() >= config_.reserve_segments + kSegmentsAhead) exhausted_ = false;
  // Room for the tables and the archive comes before segments that wait.
  if (bytes < config_.reserve_table_bytes) (void)segments_.give_back(config_.reserve_segments);
}

void Keeper::report_space() {
  const std::size_t free = segments_.free();
  const auto available = files_.free_bytes(config_.directory);
  const std::uint64_t bytes = available ? *available : 0;
  std::uint64_t usable = free > config_.reserve_segments ? (free - config_.reserve_segments) *
                                                               std::uint64_t{segments_.capacity()}
                                                         : 0;
  // What the tables have in memory needs room soon.
  const std::uint64_t spoken_for = config_.reserve_table_bytes + tables_.store().unflushed_bytes();
  if (bytes > spoken_for) {
    usable += bytes - spoken_for;
  } else {
    usable -= std::min(usable, spoken_for - bytes);
  }
  bytes_free_ = usable;
  space_.report(exhausted_, !exhausted_ || free > config_.reserve_segments, disk_fails_);
}

// Beside the keeper's other work: a commit may be waiting for a segment.
void Keeper::compact_if_full() {
  using Clock = std::chrono::steady_clock;
  if (compaction_.valid()) {
    if (compaction_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    const Clock::duration took = compaction_.get();
    compact_again_ =
        Clock::now() + std::max<Clock::duration>(kCompactionPause, kCompactionShare * took);
  }
  if (!exhausted_ || stopping_ || Clock::now() < compact_again_) return;
  compaction_ = std::async(std::launch::async, [this] {
    const auto begun = Clock::now();
    (void)tables_.store().compact(stopping_);  // without room it is tried again
    space_.nudge();
    return Clock::now() - begun;
  });
}

}  // namespace godwit::log
