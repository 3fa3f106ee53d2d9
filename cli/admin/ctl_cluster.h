#pragma once

#include <cstdint>
#include <string>

#include "cli/admin/ctl.h"
#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/base/clock.h"

// `godwit ctl nodes|node evict|topics|lag|audit-log`: the cluster, as the log knows it.
namespace godwit::cli::admin {

[[nodiscard]] int ctl_nodes(const CtlOptions& options, const Target& target, const Clock& clock,
                            Io io);
[[nodiscard]] int ctl_node_evict(const CtlOptions& options, const std::string& node,
                                 const Target& target, Io io);
[[nodiscard]] int ctl_topics(const CtlOptions& options, const Target& target, Io io);
// `all`: partitions without lag too.
[[nodiscard]] int ctl_lag(const CtlOptions& options, bool all, const Target& target,
                          const Clock& clock, Io io);
struct AuditLogOptions {
  std::string since;  // a time or an age
  std::uint32_t rows_max = 100;
  bool json = false;
};
[[nodiscard]] int ctl_audit_log(const AuditLogOptions& options, const Target& target,
                                const Clock& clock, Io io);

}  // namespace godwit::cli::admin
