#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/audit/report.h"
#include "common/log/log.h"
#include "godwit/v1/event.pb.h"
#include "tests/durability/destination.h"

namespace godwit::durability {

// What the log says about everybody, held against what was promised and what the destination has.
struct Reckoning {
  audit::Report report;
  std::set<std::string> accepted;  // addresses
  std::map<std::string, v1::EventType> ended;
  std::size_t lost = 0;                 // recipients who were acknowledged and are not there
  std::vector<std::string> complaints;  // how the law is broken; bounded
};

// Reads a log that nobody works on. The law, with mail under way:
//   - the audit is clean, and nothing is held or unreadable;
//   - every acknowledged recipient is there;
//   - whoever ended did so as his fate is: nobody is bounced or expired whom the destination would take;
//   - whoever is delivered is in the destination's ledger;
//   - nobody was sent another content than his;
//   - whoever had ended at `before` still has.
[[nodiscard]] Reckoning reckon(log::Log& log, const std::set<std::string>& promised,
                               const Destination& destination, const Reckoning& before);

// Who ended, as `events` says now; of a log that works.
[[nodiscard]] std::map<std::string, v1::EventType> ended_now(log::Log& log);

// Copies beyond the first. Allowed is one that begins when its recipient had not ended in the log: the power went
// between the destination's 250 and our commit. Any other is a complaint.
struct Copies {
  std::size_t allowed = 0;
  std::vector<std::string> complaints;
};
// `ended_before[life]`: who had ended when that life began.
[[nodiscard]] Copies count_copies(const std::map<std::string, std::vector<int>>& taken,
                                  const std::vector<std::set<std::string>>& ended_before);

}  // namespace godwit::durability
