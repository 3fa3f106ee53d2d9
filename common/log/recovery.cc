#include "common/log/recovery.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "common/base/kill_point.h"

namespace godwit::log {
namespace {

Error corrupt(const Segment& segment, const BatchHeader& header, std::string_view what) {
  return {Errc::kCorrupt,
          fmt::format("{}: {}: {}", segment.file_name, to_string(header.position), what)};
}

class Recovery {
 public:
  Recovery(const StoredState& stored, PartitionTable& partitions, ReplaySink& sink)
      : stored_(stored), partitions_(partitions), sink_(sink) {}

  Result<void> visit(const std::shared_ptr<Segment>& segment, const BatchHeader& header,
                     std::optional<std::string_view> octets) {
    for (const Run& run : header.runs) {
      if (run.kind == RunKind::kPositions) continue;
      PartitionLog* const partition = partitions_.find(run.where);
      if (partition == nullptr) return fail(corrupt(*segment, header, "a partition that is not"));
      TRY_VOID(follow(*segment, header, run, *partition));
    }
    if ((header.flags & kBatchGap) != 0) ++gaps_;
    const bool replayed = header.position >= stored_.checkpoint && octets;
    if (replayed) TRY_VOID(replay(*segment, header, *octets));
    // `follow` used `segment` by reference; the index keeps it.
    for (const Run& run : header.runs) {
      if (run.kind == RunKind::kRecords || run.kind == RunKind::kHole) {
        if (is_table(run.where.topic)) continue;
        partitions_.at(run.where).harden(segment, run, header.position.offset, header.time);
      }
    }
    return {};
  }

 private:
  Result<void> follow(const Segment& segment, const BatchHeader& header, const Run& run,
                      PartitionLog& partition) {
    const Offset expected = partition.durable_end();
    const bool known = expected > 0;
    // Behind what could not be read each partition may jump, once.
    const bool may_jump = std::exchange(gaps_seen_[run.where], gaps_) < gaps_;
    if (known && run.first != expected && !(may_jump && run.first > expected)) {
      return fail(corrupt(segment, header,
                          fmt::format("offset {} of {}/{} stands where {} should", run.first,
                                      topic_name(run.where.topic), run.where.partition, expected)));
    }
    if (is_table(run.where.topic)) partition.start_at(run.next());
    return {};
  }

  Result<void> replay(const Segment& segment, const BatchHeader& header, std::string_view octets) {
    KILL_POINT("log.replaying");
    for (const Run& run : header.runs) {
      if (run.kind == RunKind::kRecords || run.kind == RunKind::kHole) continue;
      RunReader reader(octets.substr(run.offset, run.length));
      if (run.kind == RunKind::kChanges) {
        RawRecord raw;
        while (reader.next(raw)) {
          TableChange change{run.where, std::string(raw.key), std::nullopt};
          if (raw.value) change.value = Rope(Bytes::copy_of(*raw.value));
          TRY_VOID(sink_.change(change));
        }
      } else {
        std::string_view group;
        PositionChange change;
        while (reader.next(group, change)) {
          // It may be past records that could not be read.
          PartitionLog* const partition = partitions_.find(change.where);
          if (gaps_ > 0 && partition != nullptr) partition->start_at(change.next);
          TRY_VOID(sink_.position(group, change));
        }
      }
      if (!reader.at_end()) return fail(corrupt(segment, header, "records do not fill their run"));
    }
    return sink_.batch_end();
  }

  const StoredState& stored_;
  PartitionTable& partitions_;
  ReplaySink& sink_;
  int gaps_ = 0;
  std::map<TopicPartition, int> gaps_seen_;
};

}  // namespace

Result<StoredState> read_stored_state(const store::Store& store) {
  StoredState state;
  const auto checkpoint = store.get(store::Space::kMeta, kCheckpointKey);
  if (!checkpoint) return fail(from_store(checkpoint.error()));
  const auto next = store.get(store::Space::kMeta, kNextOffsetsKey);
  if (!next) return fail(from_store(next.error()));
  if (*checkpoint) {
    const auto position = decode_checkpoint(**checkpoint);
    const auto offsets = *next ? decode_next_offsets(**next) : std::nullopt;
    if (!position || !offsets) return fail(Errc::kCorrupt, "tables: the checkpoint");
    state.checkpoint = position->position;
    state.needed_from = position->needed_from;
    state.next_offsets = *offsets;
  }
  return state;
}

Result<Scan> recover(const ScanOptions& options, const StoredState& stored,
                     PartitionTable& partitions, ReplaySink& sink) {
  Recovery recovery(stored, partitions, sink);
  TRY(Scan scan,
      scan_segments(options, [&](const std::shared_ptr<Segment>& segment, const BatchHeader& header,
                                 std::optional<std::string_view> octets) {
        return recovery.visit(segment, header, octets);
      }));
  for (const PositionChange& next : stored.next_offsets) {
    PartitionLog* const partition = partitions.find(next.where);
    if (partition == nullptr) return fail(Errc::kCorrupt, "tables: a partition that is not");
    partition->start_at(next.next);
  }
  return scan;
}

Result<void> check_position(const PartitionTable& partitions, std::string_view group,
                            const PositionChange& position) {
  const PartitionLog* const partition = partitions.find(position.where);
  if (partition == nullptr) return fail(Errc::kCorrupt, "tables: a partition that is not");
  const auto describe = [&](std::string_view what) {
    return fmt::format("{} {}/{} at {}: {} [{}, {})", group, topic_name(position.where.topic),
                       position.where.partition, position.next, what, partition->start(),
                       partition->visible_end());
  };
  if (position.next > partition->visible_end()) {
    return fail(Errc::kCorrupt, describe("beyond what is there"));
  }
  if (position.next < partition->start()) {
    return fail(Errc::kCorrupt, describe("what was not read is missing"));
  }
  return {};
}

}  // namespace godwit::log
