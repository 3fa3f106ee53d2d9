#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/control/snapshot.h"

namespace godwit::control {

// Reads "100/s", "5000/h", "1/min, max_burst=10".
//
// Input     COUNT "/" UNIT ["," "max_burst" "=" BURST]; units: s sec second, m min minute, h hour,
//           d day; white space anywhere between the parts; a burst of 1 unless it says more
// Errors    kBadRate, the context says what is wrong
// Limits    1 <= COUNT <= 1,000,000,000; 1 <= BURST <= 1,000,000
// Threads   pure
[[nodiscard]] Result<Rate> parse_rate(std::string_view text);

// The shortest text that parse_rate reads as `rate`: "100/s", "1/m,max_burst=10".
[[nodiscard]] std::string format_rate(const Rate& rate);

}  // namespace godwit::control
