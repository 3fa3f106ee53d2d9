#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/commands/command.h"

namespace godwit::commands {

// What an operator asks for.
struct Order {
  Kind kind = Kind::kSuspend;
  Filter filter;
  std::string reason;
  std::string actor;
  // Of suspend: its end. Of cancel: mail accepted until then is meant as well; without it, mail accepted until now.
  std::optional<Timestamp> until;
};

// A cancel is in force for longer than mail it means can be anywhere: scheduled for 30 days, then retried.
inline constexpr auto kCancelKept = std::chrono::hours(24) * 60;
// A retry counts once in each partition; those without an owner for so long are passed over.
inline constexpr auto kRetryKept = std::chrono::minutes(15);

// The command that is written for it. The domain may be in Unicode and any case.
// Errors    kBadCommand: an empty filter, no reason, a name that is too long or not UTF-8, a domain that is none, an
//           end that has passed, a source where only mail that is attempted can be meant
// Threads   pure but for `random`
[[nodiscard]] Result<Command> make_command(const Order& order, const std::string& node,
                                           Timestamp now, Random& random);
// The same checks of a filter alone; it comes back in the form that is compared.
[[nodiscard]] Result<Filter> check_filter(Filter filter);

}  // namespace godwit::commands
