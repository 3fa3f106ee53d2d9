#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/log.h"
#include "common/record/records.h"

namespace godwit::accounting {

// One record of the table `dead`: what could not be handled, and why.
struct DeadRow {
  std::string key{};  // of its (first) row: what `ctl dead show|retry|drop` take
  log::Topic topic{};
  log::PartitionId partition = 0;
  log::Offset offset = 0;
  Timestamp time;
  std::string role;
  std::string cause;
  std::uint32_t crashes = 0;
  std::uint64_t size = 0;  // octets of the record
  std::uint64_t recipients =
      0;  // it holds; 0 when that cannot be read, or reading it killed the process
};

struct DeadList {
  std::vector<DeadRow> rows;  // oldest first, at most what was asked for
  std::uint64_t total = 0;
};

// One record of `dead` as it was put there: several rows when it was too large for one.
struct DeadEntry {
  log::HistoryRecord row;  // the first
  // With the value of all parts. Errors: as decode_dead().
  Result<record::Dead> dead;
  bool complete = true;  // false: the value ends where the first part that is missing should be
};

// Visits what is in `dead`, in the order of the keys within a partition, until `visit` returns
// false. Blocks. Errors: those of Log::history. Limits: one record's parts in memory, as large as
// the largest message at most.
using VisitDead = std::function<bool(const DeadEntry&)>;
[[nodiscard]] Result<void> visit_dead(log::Log& log, const VisitDead& visit);

// What is held in `dead` now. Blocks. Errors: those of Log::history.
[[nodiscard]] Result<DeadList> list_dead(log::Log& log, std::size_t rows_max);

}  // namespace godwit::accounting
