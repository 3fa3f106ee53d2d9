#pragma once

#include <cstddef>
#include <string_view>

#include "common/base/bytes.h"

namespace godwit::mail {

// True when an octet above 127 is in it: it needs 8BITMIME (RFC 6152) to be sent on. Runs at memory
// speed.
[[nodiscard]] bool has_8bit(std::string_view octets);
[[nodiscard]] bool has_8bit(const Rope& content);

}  // namespace godwit::mail
