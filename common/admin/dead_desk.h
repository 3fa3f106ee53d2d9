#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/accounting/dead_list.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/log.h"
#include "common/record/records.h"

namespace godwit::admin {

// One record of `dead`, whole, for people.
struct DeadDetails {
  accounting::DeadRow row;
  std::string message_id;  // text; empty: it cannot be read
  std::string sender;
  std::vector<std::string> recipients;  // addresses, or ids where only those can be read
  std::string head;                     // its first octets, at most DeadDesk::kHeadBytes
  std::uint32_t parts = 1;
};

struct DeadRetried {
  log::RecordPosition now;  // where the record is again
};

struct DeadDropped {
  std::uint64_t cancelled = 0;  // recipients that ended with it
};

// Where an operator decides what becomes of records in `dead`. A key is what DeadRow::key says; a record in parts is
// one record.
//
// Exactly once  retry and drop write the record or the events and take the row away in one batch: after an error that
//               leaves it open (kUnknown) the row is there or not. One at a time in a process
// Errors        kInvalid (no such row; a record that cannot be put back), kRefused (drop: nobody can be told from
//               it), those of the log
// Borrows       log and clock
// Threads       any; blocks on the log. The table is read when it is first asked for
class DeadDesk {
 public:
  static constexpr std::size_t kHeadBytes = 4096;

  DeadDesk(log::Log& log, const Clock& clock, std::string node);

  [[nodiscard]] Result<DeadDetails> show(std::string_view key);
  // Back to the end of where it came from; what was parked goes to `outbound`. Content that does not fit into a record
  // goes to `bodies` before.
  [[nodiscard]] Result<DeadRetried> retry(std::string_view key);
  // Its recipients end as `cancelled`, with `actor` as the reason. Where recipients cannot be told from it, they would
  // be missing in the audit: that takes `force`.
  [[nodiscard]] Result<DeadDropped> drop(std::string_view key, std::string_view actor, bool force);

 private:
  struct Held {  // all parts together
    record::Dead dead;
    std::vector<log::TableChange> tombstones;
  };
  [[nodiscard]] Result<log::SharedTable*> table();
  [[nodiscard]] Result<Held> take(std::string_view key);
  [[nodiscard]] Result<log::Append> append_of(const record::Dead& dead);
  [[nodiscard]] Result<log::Append> append_parked(const record::Dead& dead);
  template <class Carrier>
  [[nodiscard]] Result<void> move_content(Carrier& carrier);
  [[nodiscard]] Result<log::Written> write(std::vector<log::Append> appends,
                                           std::vector<log::TableChange> tombstones);

  log::Log& log_;
  const Clock& clock_;
  const std::string node_;
  const std::unique_ptr<log::Producer> producer_;
  std::mutex mutex_;  // of everything: one decision at a time
  std::unique_ptr<log::SharedTable> table_;
};

}  // namespace godwit::admin
