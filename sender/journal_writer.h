#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "sender/environment.h"
#include "sender/journal.h"
#include "sender/lane_book.h"
#include "sender/partition_life.h"

namespace godwit::log {
class Ownership;
}

namespace godwit::sender {

// Writes the journal of one partition to the log: every commit_interval what ended and was parked, with the
// positions. One commit at a time.
//
// Failure   a commit that was not written is repeated until it is, and may_begin() is false once it is
//           commit_age_max old. One that never will be, or whose answer never came, ends the partition: `failed`
// Lifecycle run() ends when the partition is settled and all of the journal is written, or lost
// Threads   belongs to the shard
class JournalWriter {
 public:
  struct Listener {
    std::function<void(Journal::Sealed&)> acknowledged;
    std::function<void(std::string why)> failed;
  };

  JournalWriter(Environment& environment, log::Ownership& ownership, PartitionLife& life,
                Journal& journal, LaneBook& lanes, Listener listener);

  [[nodiscard]] async::Task<void> run();

  // The oldest commit that is not acknowledged is young enough for new transactions.
  [[nodiscard]] bool may_begin() const;

 private:
  [[nodiscard]] async::Task<bool> commit(Journal::Sealed& sealed);
  [[nodiscard]] async::Task<bool> write(const log::Batch& batch, bool& paused);

  Environment& env_;
  log::Ownership& ownership_;
  PartitionLife& life_;
  Journal& journal_;
  LaneBook& lanes_;
  Listener listener_;
  std::optional<Instant> commit_sent_;
};

}  // namespace godwit::sender
