#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/log/types.h"

namespace godwit::bouncer {

// Changes that put a record nobody can handle into `dead`, whole (in parts where it would not fit
// otherwise).
// Threads   pure
[[nodiscard]] std::vector<log::TableChange> bury(log::TopicPartition where,
                                                 const log::Record& record, std::string_view cause,
                                                 std::uint32_t crashes, Timestamp now);

}  // namespace godwit::bouncer
