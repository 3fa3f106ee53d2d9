#pragma once

#include <filesystem>

#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/base/clock.h"

namespace godwit::cli::admin {

// `godwit ctl log repair`: an embedded log that does not open because octets of it are damaged (`godwit run` ended
// with exit status 3) is made to open again. What cannot be read goes to `dead`, whole; nothing is thrown away.
//
// Output   what was found and moved, one line each (or a JSON object); "nothing to repair" when the log is sound
// Status   kDone also when something was moved; kCouldNotRun: a process holds data_dir, the log is not embedded,
//          or only a backup helps
[[nodiscard]] int log_repair(bool json, const Target& target, const Clock& clock, Io io);

}  // namespace godwit::cli::admin
