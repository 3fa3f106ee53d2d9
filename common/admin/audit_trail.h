#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::admin {

// An administrative change (godwit/v1/audit_entry.proto).
struct AuditEntry {
  Timestamp time;
  std::string actor;   // "token ops", "loopback"
  std::string client;  // what that one says of itself, and from where
  std::string node;
  std::string action;  // "control.apply"
  std::string subject;
  std::vector<std::string> changes;  // never a secret
  std::string reason;                // in the operator's words
  std::string failure;  // why it was not done after all; empty: nothing is known to have failed
};

struct AuditLog {
  std::vector<AuditEntry> entries;  // newest first, at most what was asked for
  std::uint64_t total = 0;
};

// The topic `audit`: who changed what, and when.
//
// Durability  when write() returns, the entry is in the log
// Limits      of an entry's changes as many are kept as fit into kEntryBytesMax; the last one then says how
//             many are not
// Borrows     log and clock
// Threads     any; blocks on the log, kPatience at most
class AuditTrail {
 public:
  static constexpr std::size_t kEntryBytesMax = 64 * 1024;
  static constexpr std::chrono::seconds kPatience{20};

  AuditTrail(log::Log& log, const Clock& clock, std::string node);

  // Fills in time and node. Errors: those of Producer, kDeadline.
  [[nodiscard]] Result<void> write(AuditEntry entry);
  // Errors: those of Log::history.
  [[nodiscard]] Result<AuditLog> list(Timestamp since, std::size_t entries_max);

 private:
  log::Log& log_;
  const Clock& clock_;
  const std::string node_;
  const std::unique_ptr<log::Producer> producer_;
};

}  // namespace godwit::admin
