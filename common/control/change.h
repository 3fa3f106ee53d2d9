#pragma once

#include <string>

#include "common/base/result.h"
#include "common/control/authority.h"

// From a control file and what is in force to the objects that have to be written. Internal to common/control.
namespace godwit::control {

// Replaces plain passwords and API keys by hashes: those of `known` where they fit, so that the same password stays the
// same hash. Costs an argon2id for each plain password. Errors: std::errc::not_enough_memory.
[[nodiscard]] Result<void> hash_secrets(Content& content, const Content& known);

struct Change {
  ChangePlan plan;
  Objects put;  // objects that are new or different
  std::vector<ObjectName> removed;
};

// Input     `now` and its objects: what is in force
//           `time`: what changes at a moment for all does so kPlacementLead later
// Output    kBadFile with every problem of the file, or of what would be in force with it
// Limits    an object takes at most kObjectBytesMax
inline constexpr std::size_t kObjectBytesMax = 500'000;
[[nodiscard]] Result<Change> plan_change(const Content& now, const Objects& objects,
                                         const ChangeRequest& request, Timestamp time);

}  // namespace godwit::control
