#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/task.h"
#include "sender/environment.h"
#include "sender/journal.h"
#include "sender/lane_book.h"
#include "sender/partition_life.h"

namespace godwit::log {
class Ownership;
}

namespace godwit::sender {

// Writes the journal of one partition to the log: what ended and was parked, with the positions, every commit_interval,
// or when the log gathers commits: whenever the last one is done. One commit at a time.
//
// Failure   a commit that was not written is repeated until it is, and may_begin() is false once it is
//           commit_age_max old. One that never will be, or whose answer never came, ends the partition: `failed`
// Lease     where the log has one, it is renewed by an empty commit when nothing else is written. Once it is over
//           nothing new goes out: another process may own the partition
// Lifecycle run() ends when the partition is settled and all of the journal is written, or lost
// Threads   belongs to the shard
class JournalWriter {
 public:
  struct Listener {
    std::function<void(Journal::Sealed&)> acknowledged;
    std::function<void()> ending;  // the last commit follows
    std::function<void(std::string why)> failed;
  };

  JournalWriter(Environment& environment, log::Ownership& ownership, PartitionLife& life,
                Journal& journal, LaneBook& lanes, Listener listener);

  [[nodiscard]] async::Task<void> run();

  // The oldest commit that is not acknowledged is young enough for new transactions.
  [[nodiscard]] bool may_begin() const;
  // The lease is not over: no final dot otherwise.
  [[nodiscard]] bool may_send() const;

  // Waits until all that is in the journal now is acknowledged; false: the partition drains, or is
  // lost.
  [[nodiscard]] async::Task<bool> written();

  // Of a partition that was lost: what may not be in the log.
  [[nodiscard]] const std::optional<log::Batch>& unacknowledged() const { return unacknowledged_; }

 private:
  [[nodiscard]] async::Task<bool> commit(Journal::Sealed& sealed);
  [[nodiscard]] bool wants_renewal(Instant last) const;
  [[nodiscard]] async::Task<bool> write(const log::Batch& batch, bool& paused);

  Environment& env_;
  log::Ownership& ownership_;
  PartitionLife& life_;
  Journal& journal_;
  LaneBook& lanes_;
  Listener listener_;
  const Duration interval_;
  const std::optional<std::chrono::milliseconds> lease_;
  Instant renewed_;  // when the last commit that was acknowledged was sent
  std::optional<Instant> commit_sent_;
  std::optional<log::Batch> unacknowledged_;
  std::uint64_t entries_written_ = 0;
  std::size_t entries_flying_ = 0;
  std::vector<async::Event*> waiting_;  // in written(): for the next acknowledgement
};

}  // namespace godwit::sender
