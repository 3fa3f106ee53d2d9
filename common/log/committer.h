#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/log/batch_encoder.h"
#include "common/log/counters.h"
#include "common/log/intake.h"
#include "common/log/partition_table.h"
#include "common/log/segment_set.h"
#include "common/log/space.h"
#include "common/log/table_applier.h"

namespace godwit::log {

struct CommitterConfig {
  std::uint32_t reserve_segments = 4;
  std::uint64_t tail_cache_bytes = 16ull << 20;
  std::uint64_t batch_bytes_max = 4ull << 20;
  std::chrono::milliseconds commit_sync_delay_max{100};
};

// The commit thread: gathers what is there, writes it as one batch, syncs when somebody waits for it.
//
// Ordering    writes of one thread keep their order; a write is in one batch as a whole
// Durability  a write is finished after the sync of its batch (and, when it changes tables or positions, after
//             those show it). A batch that nobody waits for is synced with the next one, at most
//             commit_sync_delay_max later; its records are visible at once
// Failure     after a failed write or sync nothing of that segment's unsynced part is trusted: the batches are
//             written again into another segment. When that fails too the log is broken: what was under way is
//             kUnknown, what comes is kUnavailable
// Lifecycle   start(), stop() (writes and syncs what is there; joins)
// Threads     submit(), problem(): any
class Committer {
 public:
  Committer(CommitterConfig config, SegmentSet& segments, PartitionTable& partitions,
            TableApplier& applier, Space& space, Counters& counters, const Clock& clock);
  ~Committer();

  // `active`: the segment to go on in, nullptr: begin a new one; `synced`: the end of what is there.
  void start(std::shared_ptr<Segment> active, StreamPosition synced, std::uint64_t next_sequence);
  void stop();
  void submit(WritePtr write);

  // Empty: it writes.
  [[nodiscard]] std::string problem() const;
  void when_broken(std::function<void(const Error&)> broken) {
    broken_handler_ = std::move(broken);
  }

 private:
  // A batch that was written and not synced yet.
  struct InFlight {
    std::vector<WritePtr> writes;
    std::unique_ptr<BatchEncoder> encoder;
    bool visible = false;
  };
  using Instant = std::chrono::steady_clock::time_point;

  void run();
  [[nodiscard]] Instant sync_due() const;
  void gather();
  [[nodiscard]] std::vector<WritePtr> next_batch();
  void write_batch(std::vector<WritePtr> writes);
  enum class Room { kThere, kNotForOutside, kNone };
  [[nodiscard]] Room make_room(std::uint64_t bytes, bool outside);
  void refuse_outside();
  [[nodiscard]] bool begin_segment();
  [[nodiscard]] Result<void> place(InFlight& batch);
  void sync();
  [[nodiscard]] bool write_elsewhere();
  void publish(InFlight& batch, bool synced);
  void complete();
  void trim_tail_cache();
  void fail_all(std::vector<WritePtr>& writes, const Error& error);
  void break_down(Error error);
  [[nodiscard]] std::uint64_t oldest_reference(const std::vector<WritePtr>& writes) const;
  [[nodiscard]] Offset& next_offset(TopicPartition where);

  const CommitterConfig config_;
  SegmentSet& segments_;
  PartitionTable& partitions_;
  TableApplier& applier_;
  Space& space_;
  Counters& counters_;
  const Clock& clock_;
  std::function<void(const Error&)> broken_handler_;
  Intake intake_;
  std::thread thread_;

  // The thread's own.
  std::deque<WritePtr> pending_;
  std::shared_ptr<Segment> active_;
  StreamPosition synced_;
  std::uint64_t next_sequence_ = 1;
  std::unordered_map<TopicPartition, Offset> next_offsets_;
  std::deque<InFlight> in_flight_;
  std::optional<Instant> unsynced_since_;
  struct Cached {
    PartitionLog* partition;
    std::uint32_t records;
    std::uint64_t bytes;
  };
  std::deque<Cached> tail_cache_;
  std::uint64_t tail_cache_bytes_ = 0;
  std::optional<Error> broken_;

  mutable std::mutex problem_mutex_;
  std::string problem_;
};

}  // namespace godwit::log
