#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/log/archive.h"
#include "common/log/counters.h"
#include "common/log/partition_table.h"
#include "common/log/segment_set.h"
#include "common/log/space.h"
#include "common/log/table_applier.h"

namespace godwit::log {

struct KeeperConfig {
  std::filesystem::path directory;
  std::uint32_t reserve_segments = 4;
  std::uint64_t reserve_table_bytes = 512ull << 20;
  std::chrono::milliseconds unreferenced_body_hold{std::chrono::minutes(15)};
};

// The housekeeper: makes segment files ahead of need, checkpoints the tables, moves to the archive what outlives
// its segment, and frees segments that nothing needs.
//
// A segment is free when
//   - it is the oldest, and not the one being written;
//   - the checkpoint is past it;
//   - no later segment that still has unread records refers into it: unread is what a group that reads the topic
//     has not committed past, and, of the topics that carry mail, what nobody has read at all;
//   - the bodies in it are old enough that a record must have referred to them by now;
//   - what outlives it is in the archive, on disk.
// When the disk is full it has the tables give back what deleted rows still take: by themselves they do it when
// they are written to, and a full disk may be quiet.
// Which segments are needed is part of the checkpoint, and only what a checkpoint on disk does not need is freed:
// so a segment that is missing at a start is told from one that was freed.
// Lifecycle  start(), stop() (joins)
// Threads    run_once() is called by its own thread, or by a test instead of start()
class Keeper {
 public:
  Keeper(KeeperConfig config, store::FileSystem& files, SegmentSet& segments,
         PartitionTable& partitions, TableState& tables, TableApplier& applier, Archive& archive,
         Space& space, Counters& counters, const Clock& clock);
  ~Keeper();

  // What is on disk of the tables, and the oldest segment it needs. Looks around once before it returns.
  void start(StreamPosition checkpoint, std::uint64_t needed_from);
  void stop();

  void run_once();
  // No segment is freed as long as it is held.
  [[nodiscard]] std::shared_lock<std::shared_mutex> pin() { return std::shared_lock(pin_mutex_); }
  // Flushes the tables. Errors: as the store's.
  [[nodiscard]] Result<void> checkpoint();
  [[nodiscard]] std::uint64_t bytes_free() const { return bytes_free_.load(); }
  // Empty when the last checkpoint went well.
  [[nodiscard]] std::string problem() const;

 private:
  void make_segments();
  void checkpoint_if_due();
  void free_segments();
  // The number of the oldest segment that is needed, checkpoint and archive aside.
  [[nodiscard]] std::uint64_t oldest_needed() const;
  [[nodiscard]] bool is_needed(const Segment& oldest,
                               const std::vector<std::shared_ptr<Segment>>& live) const;
  [[nodiscard]] bool has_unread(const Segment& segment) const;
  [[nodiscard]] bool free_oldest(const std::shared_ptr<Segment>& segment);
  void report_space();
  void compact_if_full();

  const KeeperConfig config_;
  store::FileSystem& files_;
  SegmentSet& segments_;
  PartitionTable& partitions_;
  TableState& tables_;
  TableApplier& applier_;
  Archive& archive_;
  Space& space_;
  Counters& counters_;
  const Clock& clock_;

  std::shared_mutex pin_mutex_;
  StreamPosition checkpoint_;
  std::uint64_t needed_from_ = 0;  // as the checkpoint on disk says
  bool exhausted_ = false;
  bool disk_fails_ = false;
  std::atomic<std::uint64_t> bytes_free_{0};
  mutable std::mutex problem_mutex_;
  std::string problem_;
  std::atomic<bool> stopping_{false};
  std::future<std::chrono::steady_clock::duration> compaction_;
  std::chrono::steady_clock::time_point compact_again_{};
  std::thread thread_;
};

}  // namespace godwit::log
