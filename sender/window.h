#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "common/log/types.h"
#include "godwit/v1/delivery.pb.h"

namespace godwit::sender {

// What was consumed of one partition of `outbound` (or `outbound.urgent`) and is not finished yet.
//
// Deliveries end in any order; a position can only say "everything below is finished". The window
// knows the difference: next() is the position to commit, and finished() names what is finished
// beyond it, so that a new owner does not attempt it again (`!position` of table `retries`,
// docs/formats/retries.md).
//
// Input     offsets in ascending order; gaps are allowed (Kafka's commit markers leave them)
// Limits    records_max and bytes_max of what is unfinished; room() false means: stop reading. One
//           record is always taken: one larger than bytes_max cannot stop the partition
// Threads   belongs to one shard
class Window {
 public:
  struct Limits {
    std::size_t records_max = 4096;
    std::size_t bytes_max = 32u << 20;
  };

  // `next`: the committed position this owner continues at.
  Window(log::Offset next, Limits limits);

  // Names what was finished beyond the committed position. Call before the first consume().
  void restore(const v1::FinishedPositions::TopicFinished& finished);

  [[nodiscard]] bool room() const;

  // `offset` was read. False: it was finished before (by an earlier owner), do nothing with it.
  // `bytes` is what it keeps in memory until it is finished.
  [[nodiscard]] bool consume(log::Offset offset, std::size_t bytes);

  // Nothing is left to be done for `offset`, which consume() returned true for. Once for each.
  void finish(log::Offset offset);

  // Everything below is finished.
  [[nodiscard]] log::Offset next() const { return next_; }
  // Runs at or above next(), ascending and apart. Empty when finished_beyond() is false.
  [[nodiscard]] bool finished_beyond() const;
  void finished(v1::FinishedPositions::TopicFinished& out) const;

  [[nodiscard]] std::size_t unfinished() const { return unfinished_; }
  [[nodiscard]] std::size_t unfinished_bytes() const { return unfinished_bytes_; }

 private:
  struct Entry {
    log::Offset offset;
    std::size_t bytes;
    bool finished;
  };
  using Run = std::pair<log::Offset, log::Offset>;  // [first, second)

  void advance();

  Limits limits_;
  log::Offset next_;
  std::deque<Entry> entries_;  // consumed, at or above next_, by offset
  std::deque<Run> restored_;   // finished by an earlier owner, not read again yet
  std::size_t unfinished_ = 0;
  std::size_t unfinished_bytes_ = 0;
};

}  // namespace godwit::sender
