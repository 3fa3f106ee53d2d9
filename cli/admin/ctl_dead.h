#pragma once

#include <cstdint>
#include <string>

#include "cli/admin/ctl.h"
#include "cli/admin/io.h"
#include "cli/admin/target.h"

// `godwit ctl dead ...`: records that could not be handled, and what becomes of them (docs/admin.md).
namespace godwit::cli::admin {

// Also without a running process.
[[nodiscard]] int ctl_dead_list(const CtlOptions& options, std::uint32_t rows_max,
                                const Target& target, Io io);
// `octets`: the first octets of the record, too, for who has to read them.
[[nodiscard]] int ctl_dead_show(const CtlOptions& options, const std::string& key, bool octets,
                                const Target& target, Io io);
[[nodiscard]] int ctl_dead_retry(const CtlOptions& options, const std::string& key,
                                 const Target& target, Io io);
[[nodiscard]] int ctl_dead_drop(const CtlOptions& options, const std::string& key, bool force,
                                const Target& target, Io io);

}  // namespace godwit::cli::admin
