#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace godwit::observe {

// Appends `text` as a JSON string: quotes, backslashes and controls escaped, each octet that is not part of
// valid UTF-8 (RFC 3629) as U+FFFD, cut before octet `bytes_max` with "..." where it is longer. Pure.
void append_json_string(std::string& out, std::string_view text, std::size_t bytes_max);

// Appends "2026-01-02T03:04:05.678Z" (RFC 3339).
void append_rfc3339(std::string& out, Timestamp time);

}  // namespace godwit::observe
