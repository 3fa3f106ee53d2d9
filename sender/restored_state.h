#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/records.h"
#include "godwit/v1/delivery.pb.h"
#include "sender/queue_tally.h"

namespace godwit::log {
class Table;
}

namespace godwit::sender {

// What the table `retries` tells a new owner of its partition (docs/formats/retries.md), but for the parked
// deliveries themselves: those come back when they are due (ParkedFeed).
struct RestoredState {
  std::optional<v1::FinishedPositions> finished;  // row `!position`
  std::optional<v1::OwnerClaim> claim;            // row `!owner`: whoever was here has not finished
  QueueTally tally;                               // of what is parked
  std::map<LaneId, v1::LaneState> lanes;          // rows `l/`
  std::set<std::pair<LaneId, bool>> backlogs;     // lanes with throttled mail; urgent or not
  std::map<std::string, record::Delivery> slots;  // rows `s/`, by key
};

// Errors    of the table, or kCorrupt when `!position` is not what it should be. Other rows that cannot be read
//           are left out: a limiter forgets, a delivery of the window is attempted whole again
// Blocks    on the local disk, for a scan of the index: for the blocking pool
[[nodiscard]] Result<RestoredState> read_state(const log::Table& retries);

}  // namespace godwit::sender
