#pragma once

#include <cstdint>
#include <string>

#include "cli/admin/ctl.h"
#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/commands/command.h"

// `godwit ctl suspend|cancel|retry|commands|deliveries|trace`: queued mail, and what becomes of it (docs/admin.md).
namespace godwit::cli::admin {

// As options say it.
struct FilterOptions {
  std::string tenant;
  std::string tag;
  std::string domain;
  std::string site;
  std::string pool;
  std::string of_class;  // bulk, urgent; empty: both
  std::string message;
  std::string source;
};
// Errors: invalid_argument, context says which option.
[[nodiscard]] Result<commands::Filter> filter_of(const FilterOptions& options);

struct OrderOptions {
  commands::Kind kind = commands::Kind::kSuspend;
  FilterOptions filter;
  std::string until;  // see parse_until()
  bool yes = false;   // a cancel without it says what it would touch, and does nothing: kAnswerIsNo
};
[[nodiscard]] int ctl_order(const CtlOptions& options, const OrderOptions& order,
                            const Target& target, const Clock& clock, Io io);
[[nodiscard]] int ctl_commands_list(const CtlOptions& options, bool all, const Target& target,
                                    const Clock& clock, Io io);
// kAnswerIsNo: there is none, or it is over.
[[nodiscard]] int ctl_commands_undo(const CtlOptions& options, const std::string& id,
                                    const Target& target, Io io);

[[nodiscard]] int ctl_deliveries_list(const CtlOptions& options, const FilterOptions& filter,
                                      std::uint32_t rows_max, const Target& target,
                                      const Clock& clock, Io io);
// kAnswerIsNo: it is not queued.
[[nodiscard]] int ctl_deliveries_show(const CtlOptions& options, const std::string& id,
                                      const Target& target, Io io);
// The events of a message, and what of it is queued. kAnswerIsNo: nothing is known of it.
[[nodiscard]] int ctl_trace(const CtlOptions& options, const std::string& message,
                            const Target& target, Io io);

}  // namespace godwit::cli::admin
