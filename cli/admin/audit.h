#pragma once

#include <cstdint>

#include "cli/admin/io.h"
#include "cli/admin/target.h"

namespace godwit::cli::admin {

struct AuditOptions {
  bool json = false;
  bool quiet = false;                  // no progress
  std::uint32_t exceptions_max = 100;  // named in the report
};

// `godwit audit`. Output: the exit status; kAnswerIsNo when a recipient is missing or doubled.
[[nodiscard]] int audit(const AuditOptions& options, const Target& target, Io io);

}  // namespace godwit::cli::admin
