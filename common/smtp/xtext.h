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

// The address part of an ORCPT of type utf-8 (RFC 6533 s3), where octets are "\x{HEX}" escapes or
// UTF-8 itself. Encoding takes well-formed UTF-8; `ascii` escapes everything above 127 too, for
// hosts without SMTPUTF8.
[[nodiscard]] std::string encode_utf8_address(std::string_view text, bool ascii);
[[nodiscard]] std::optional<std::string> decode_utf8_address(
    std::string_view text);  // nullopt: not that

}  // namespace godwit::smtp
