#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "common/audit/ledger.h"
#include "common/audit/report.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::audit {

struct AuditOptions {
  LedgerLimits limits;
  // True when others write to the log meanwhile. A recipient can then move against the order of
  // reading (a transfer), so exceptions are believed only when a second and third reading find them
  // too.
  bool live = false;
  // Called now and then: what is being read, and how many records so far. False cancels the audit.
  std::function<bool(std::string_view stage, std::uint64_t records)> progress;
};

// Reads the log and says of every accepted recipient whether it ended exactly once.
//
// Input      the log alone: `accepted` (who was promised), the groups' positions, `outbound` and
//            `retries` (who is pending), `dead` (who is held), `events` (who ended). Recipients
//            come from `accepted`, never from events.
// Ordering   read along the flow of mail, so that a recipient that moves on meanwhile is met again
//            further down
// Errors     kCancelled, kSpill, those of Log::history
// Threads    blocks for the length of the reading: not on a mail loop
// Source     docs/audit.md
[[nodiscard]] Result<Report> audit(log::Log& log, const AuditOptions& options);

}  // namespace godwit::audit
