#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "common/log/counters.h"
#include "common/log/log.h"
#include "common/log/segment.h"

namespace godwit::log {

// A reader's armed wake-up. Called under its own mutex, so that a reader that was destroyed is never woken.
struct Waiter {
  std::mutex mutex;
  Wake wake;
};

// Where the octets of a run are: 20 octets of memory for each run of each live segment.
struct RunPlace {
  std::uint32_t delta =
      0;  // of its first offset, from the first one of this partition in the segment
  std::uint32_t offset = 0;  // in the segment
  std::uint32_t length = 0;  // 0: a hole
  std::uint32_t crc = 0;
  std::uint32_t time_ms = 0;  // since SegmentRuns::time
};

// A run to be read.
struct RunRead {
  std::shared_ptr<const Segment> segment;  // is not reused as long as this lives
  RunPlace place;
  Offset first = 0;
  Offset next = 0;
  Timestamp time;
};

// Reads a run from its segment and takes it apart. The records share one buffer.
// Errors: kCorrupt, kIo.
[[nodiscard]] Result<std::vector<Record>> read_run(const RunRead& run);

// One partition of one topic: the newest records in memory, and where the others are.
//
// Lifecycle  lives as long as the log
// Ordering   add() in the order of offsets; harden() in the same order, later
// Threads    any; a mutex of its own is held for look-ups and moves, never for I/O
class PartitionLog {
 public:
  PartitionLog() = default;
  PartitionLog(const PartitionLog&) = delete;
  PartitionLog& operator=(const PartitionLog&) = delete;

  // Recovery: offsets go on at `next` or above; what is missing below it was lost.
  void start_at(Offset next);
  // Records become visible. Wakes readers after the mutex is released.
  void add(std::vector<Record> records);
  // A run of records is on disk. What add() brought stays in memory until evict().
  void harden(const std::shared_ptr<const Segment>& segment, const Run& run,
              std::uint32_t batch_offset, Timestamp time);
  // The oldest `count` records leave the memory.
  void evict(std::size_t count);
  // The segment is about to be reused.
  void forget(const Segment& segment);
  // Every armed reader is woken, and from now on at once: the log ends.
  void close();

  // The record at `offset` was lost before a repair: where the hole ends.
  [[nodiscard]] std::optional<Offset> hole_end(Offset offset) const;
  // The segment that holds the record; nullopt: none yet, or none any more.
  [[nodiscard]] std::optional<std::uint64_t> segment_of(Offset offset) const;

  [[nodiscard]] Offset start() const;  // of the oldest record that can be read
  [[nodiscard]] Offset visible_end() const;
  [[nodiscard]] Offset durable_end() const;

  // Either records from memory, or the run on disk that holds `next`, or neither: nothing there yet.
  struct Found {
    std::vector<Record> records;
    std::optional<RunRead> run;
    std::optional<Errc> error;  // kNotFound: `next` is below the start; kClosed
  };
  [[nodiscard]] Found find(Offset next, std::size_t records_max, std::size_t bytes_max) const;
  // Arms the waiter; true when there is something to take now (then it is not armed).
  [[nodiscard]] bool arm(const std::shared_ptr<Waiter>& waiter, Offset next);
  void disarm(const std::shared_ptr<Waiter>& waiter);

 private:
  struct SegmentRuns {
    std::shared_ptr<const Segment> segment;
    Offset first = 0;
    Offset next = 0;
    Timestamp time;
    std::vector<RunPlace> runs;
  };
  [[nodiscard]] Offset start_locked() const;
  [[nodiscard]] std::optional<RunRead> run_of(Offset offset) const;

  mutable std::mutex mutex_;
  std::deque<Record> cache_;  // [visible_end_ - size, visible_end_)
  std::deque<SegmentRuns> segments_;
  Offset visible_end_ = 0;
  Offset durable_end_ = 0;
  bool closed_ = false;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace godwit::log
