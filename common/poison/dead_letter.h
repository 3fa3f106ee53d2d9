#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/log/types.h"

namespace godwit::poison {

// A record that nobody can handle.
struct DeadLetter {
  log::RecordPosition position;
  std::string key;
  Rope value;
  std::string cause;          // for people; kept printable, at most 1,024 octets of it
  std::uint32_t crashes = 0;  // that it was in hand at
  std::string_view role;      // that could not handle it
  Timestamp now;
};

// The changes that put it into `dead`, whole, in the partition it came from: several rows where one
// would be too large for a record (docs/formats/records.md).
// Threads   pure
[[nodiscard]] std::vector<log::TableChange> bury(const DeadLetter& letter);

}  // namespace godwit::poison
