#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::record {
struct Dead;
}

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

// True when this row carries on a record that was too large for one row (proto DeadRecord.part, or its key).
[[nodiscard]] bool is_later_part(const record::Dead& dead, std::string_view key);

// What is held in `dead` now; of a record in parts `size` and `recipients` are those of the first. Blocks. Errors: those of Log::history.
[[nodiscard]] Result<DeadList> list_dead(log::Log& log, std::size_t rows_max);

}  // namespace godwit::accounting
