#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "common/audit/report.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace godwit::audit {

struct LedgerLimits {
  std::size_t memory_bytes_max = 256u << 20;
  std::size_t exceptions_max = 100;
  std::filesystem::path spill_directory;  // empty: the system's directory for temporary files
};

// The core of the audit: takes what records say about recipients, in any order, and says how each
// one stands.
//
// Input      facts, each any number of times; 32 octets are kept of each
// Output     settle(): one Report
// Limits     memory_bytes_max of facts in memory. Beyond it they go, sorted, to runs in one
//            unlinked temporary file, which settle() merges with 64 KiB of memory a run: 10
//            million recipients are 640 MB of facts
// Errors     kSpill: a temporary file cannot be made, written or read. The ledger is then of no
//            more use.
// Threads    one at a time; no clock, no network
class Ledger {
 public:
  explicit Ledger(LedgerLimits limits = {});
  ~Ledger();
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;

  // An accepted record names this recipient.
  [[nodiscard]] Result<void> accepted(RecipientId recipient);

  // A terminal event record. An ending is one outcome of one attempt by one origin: `origin` is the
  // node that wrote the event and `time` when the outcome was known. The same outcome written again
  // (after a commit whose answer never came) is equal in all of them and counts once; anything else
  // is a second ending.
  struct EndingFact {
    Ending ending{};
    std::uint32_t attempt = 0;
    std::string_view origin;
    Timestamp time;
  };
  [[nodiscard]] Result<void> ended(RecipientId recipient, const EndingFact& fact);

  // The recipient is still to be worked on there.
  [[nodiscard]] Result<void> pending(RecipientId recipient, Stage stage);
  // A record in `dead` names this recipient; or, when that record cannot be read, all of this
  // message's.
  [[nodiscard]] Result<void> held(RecipientId recipient);
  [[nodiscard]] Result<void> held_all(MessageId message);

  // Counted, no more.
  void late_bounce();
  void unreadable();

  // Ends the ledger.
  [[nodiscard]] Result<Report> settle() &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::audit
