#pragma once

#include <optional>

#include "common/poison/slots.h"

namespace godwit::poison {

// Where this process is to die, for the scenario that kills it with a record in hand: the environment's
// GODWIT_KILL_IN_HAND, "accepted/0/0/decode", of a first record. Honoured only in builds with
// GODWIT_TEST_HOOKS; nullopt in others.
[[nodiscard]] std::optional<Work> kill_point();
// SIGKILL: nothing of the process cleans up.
[[noreturn]] void kill_here();

}  // namespace godwit::poison
