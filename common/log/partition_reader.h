#pragma once

#include <deque>
#include <memory>

#include "common/log/counters.h"
#include "common/log/partition_log.h"

namespace godwit::log {

// The embedded log's Reader: from memory while it keeps up, from the segments when it lags.
// Memory: at most one run (a batch's part, at most 4 MiB) beyond what take() returned.
class PartitionReader final : public Reader {
 public:
  // Begins at `from`, or at the oldest record when that is younger. Borrows both for as long as the log lives.
  PartitionReader(PartitionLog& partition, Counters& counters, Offset from);
  ~PartitionReader() override;

  [[nodiscard]] Result<std::vector<Record>> take(std::size_t records_max,
                                                 std::size_t bytes_max) override;
  void when_ready(Wake wake) override;
  [[nodiscard]] Offset next() const override { return next_; }
  void skip_to(Offset offset) override;

 private:
  PartitionLog& partition_;
  Counters& counters_;
  Offset next_;
  std::deque<Record> ahead_;  // the rest of a run read from disk; begins at next_ or is empty
  std::shared_ptr<Waiter> waiter_;
};

}  // namespace godwit::log
