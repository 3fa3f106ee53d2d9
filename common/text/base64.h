#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::text {

// The standard alphabet with padding, without line breaks (RFC 4648 s4): AUTH (RFC 4954), encoded
// words, keys.
[[nodiscard]] std::string base64_encode(std::string_view octets);

// Errors    kBadBase64: another character (white space too), missing or surplus padding
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);

}  // namespace godwit::text
