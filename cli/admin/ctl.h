#pragma once

#include <cstdint>
#include <string>

#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/base/clock.h"

// `godwit ctl ...`: an operator asks one process. Each function is one command; output: the exit status.
namespace godwit::cli::admin {

struct CtlOptions {
  bool json = false;
  std::string reason{};  // of what changes something, for the audit
};

[[nodiscard]] int ctl_info(const CtlOptions& options, const Target& target, Io io);
// kAnswerIsNo: it does not serve. `role` empty: the process.
[[nodiscard]] int ctl_health(const CtlOptions& options, const std::string& role,
                             const Target& target, Io io);
[[nodiscard]] int ctl_drain(const CtlOptions& options, bool leave, const Target& target, Io io);
[[nodiscard]] int ctl_reload(const CtlOptions& options, const Target& target, Io io);
[[nodiscard]] int ctl_queue(const CtlOptions& options, const operate::QueueQuery& query,
                            const Target& target, const Clock& clock, Io io);
// `level` empty: says which one it is.
[[nodiscard]] int ctl_log_level(const CtlOptions& options, const std::string& level,
                                const Target& target, Io io);

}  // namespace godwit::cli::admin
