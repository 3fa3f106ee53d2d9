#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/accounting/held_list.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::admin {

// Where an operator decides about mail of tenants with `outcome_unknown: hold`. `retries` belongs to the owner of the
// partition: a decision goes to it through `outbound`, and is carried out there (sender/decisions.h).
//
// Exactly once  a decision about what is not held any more is passed over, so one that may not have been written
//               (kDeadline, kUnknown) can be given again
// Errors        kInvalid (nobody of that delivery is held), those of the log
// Borrows       log
// Threads       any; blocks on the log: `retries` is read from its beginning
class HeldDesk {
 public:
  explicit HeldDesk(log::Log& log) : log_(log), producer_(log.producer()) {}

  [[nodiscard]] Result<accounting::HeldList> list(std::size_t rows_max) {
    return accounting::list_held(log_, rows_max);
  }
  // Written, not yet carried out. How many recipients it is about.
  [[nodiscard]] Result<std::uint32_t> decide(std::string_view delivery,
                                             accounting::HeldDecision decision,
                                             std::string_view actor);

 private:
  log::Log& log_;
  const std::unique_ptr<log::Producer> producer_;
};

}  // namespace godwit::admin
