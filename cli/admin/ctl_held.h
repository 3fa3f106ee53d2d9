#pragma once

#include <cstdint>
#include <string>

#include "cli/admin/ctl.h"
#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/accounting/held_list.h"

// `godwit ctl held ...`: recipients whose outcome is unknown, and what becomes of them (docs/admin.md).
namespace godwit::cli::admin {

[[nodiscard]] int ctl_held_list(const CtlOptions& options, std::uint32_t rows_max,
                                const Target& target, Io io);
[[nodiscard]] int ctl_held_decide(const CtlOptions& options, const std::string& delivery,
                                  accounting::HeldDecision decision, const Target& target, Io io);

}  // namespace godwit::cli::admin
