#pragma once

#include <filesystem>

#include "cli/admin/ctl.h"
#include "cli/admin/io.h"
#include "cli/admin/target.h"

// `godwit ctl apply|diff|get`: control data as a file (docs/control.md).
namespace godwit::cli::admin {

struct ControlOptions {
  std::filesystem::path file;
  bool prune = false;
  std::string reason{};  // of apply, for the audit
  bool json = false;
};

// Makes the control data what the file says. kAnswerIsNo: the file is refused, with every mistake and its place.
[[nodiscard]] int ctl_apply(const ControlOptions& options, const Target& target, Io io);
// What apply would do. kAnswerIsNo: there is a difference, or the file is refused.
[[nodiscard]] int ctl_diff(const ControlOptions& options, const Target& target, Io io);
// What is in force, as a file that apply takes.
[[nodiscard]] int ctl_get(const CtlOptions& options, const Target& target, Io io);

}  // namespace godwit::cli::admin
