#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/config.h"
#include "common/admin/audit_trail.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/control/authority.h"
#include "common/log/log.h"

namespace godwit::cli::run {

// What the control data of a process is kept in and written with. All of it outlives what open_control() gives.
struct ControlPlace {
  log::Log& log;
  const Clock& clock;
  const std::string& node;
  godwit::admin::AuditTrail& trail;
};

// The control data as the configuration has it: a file that is the truth, or the table `control`, which the file
// fills when it is empty. What is not in effect, and a file that differs from the table, are named in the log.
//
// Blocks     until the table is read to its end: a user who is not known yet must not be refused. `told_to_end` is
//            called with the reason meanwhile, paces the waiting, and ends it with true
// Errors     of the file (control.file), of the log; operation_canceled when it was told to end
[[nodiscard]] Result<std::unique_ptr<control::Authority>> open_control(
    const Config& config, const ControlPlace& place,
    const std::function<bool(std::string_view problem)>& told_to_end);

}  // namespace godwit::cli::run
