#pragma once

#include <cstddef>
#include <queue>
#include <vector>

#include "sender/parked_index.h"

namespace godwit::sender {

// The near future of the parked deliveries: those due before horizon() are here, in memory; the rest is in the
// table's index and is fetched, piece by piece, as the horizon moves on. So the head of the index, where
// finished deliveries leave tombstones, is read once and never again.
//
//     if (auto scan = queue.want_scan(now)) { read the index in [scan->from, scan->to), at most scan->entries_max;
//                                             queue.scanned(entries, whether that was all); }
//     for (const DueEntry& entry : queue.take_due(now, room)) ...
//
// Entries may be stale or come twice (the delivery was parked again meanwhile): whoever takes one compares it
// with the record. None is missing.
//
// Limits    2 kEntriesMax plus what is parked with a due time before the horizon, plus what was put back
// Threads   pure; belongs to one shard
class DueQueue {
 public:
  static constexpr std::size_t kEntriesMax = 50'000;
  static constexpr Duration kAhead = std::chrono::minutes{5};
  static constexpr Duration kRefill = std::chrono::minutes{1};  // scans begin when less is ahead

  struct Scan {
    std::string from;
    std::string to;
    std::size_t entries_max = 0;
  };
  // At most one scan at a time; nothing when the horizon is far enough.
  [[nodiscard]] std::optional<Scan> want_scan(Timestamp now);
  // `complete`: the whole range was read; otherwise it goes on behind the last entry.
  void scanned(const std::vector<DueEntry>& entries, bool complete);
  void scan_failed();

  // A delivery was parked, and the commit of it is acknowledged.
  void parked(const DueEntry& entry);

  // What is due, oldest first, at most `count_max`; it is no longer here.
  [[nodiscard]] std::vector<DueEntry> take_due(Timestamp now, std::size_t count_max);
  // Back, because there was no room after all, or for another time than its row says (nobody else knows it).
  void put_back(const DueEntry& entry) { near_.push(entry); }

  // When take_due() or want_scan() will have something; the past when they have it now.
  [[nodiscard]] Timestamp next(Timestamp now) const;
  [[nodiscard]] std::size_t size() const { return near_.size(); }

 private:
  std::priority_queue<DueEntry, std::vector<DueEntry>, std::greater<>> near_;
  DueEntry horizon_{};  // everything before it is in near_, or was taken
  std::optional<Timestamp> scanning_to_;
};

}  // namespace godwit::sender
