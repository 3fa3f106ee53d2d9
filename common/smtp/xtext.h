#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace godwit::smtp {

// xtext: octets that are safe in an ESMTP parameter value; others are "+HH" (RFC 3461 s4).
[[nodiscard]] std::string encode_xtext(std::string_view text);
// nullopt: not xtext ("=", a space, a control, an octet above 126, or "+" without two upper-case
// hex digits).
[[nodiscard]] std::optional<std::string> decode_xtext(std::string_view text);

// The address part of ORCPT for SMTPUTF8 (RFC 6533 s3, utf-8-addr-xtext and utf-8-addr-unitext):
// \x{H..} escapes. Decodes; nullopt: not that.
[[nodiscard]] std::optional<std::string> decode_utf8_address(std::string_view text);

}  // namespace godwit::smtp
