#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"

// Transparency (RFC 5321 s4.5.2), both ways.
namespace godwit::smtp {

// Puts a dot in front of each line that begins with one, and CRLF at the end where it is missing.
// The result shares the pieces of `content`: nothing is copied. Lines end with CRLF, also across
// pieces.
[[nodiscard]] Rope dot_stuffed(const Rope& content);

// True when the last two octets are CRLF.
[[nodiscard]] bool ends_with_crlf(const Rope& content);

// Takes the first dot of each line that begins with one. For DKIM, bodies shown to people, and
// tests; the relay itself keeps content in wire form.
[[nodiscard]] std::string dot_unstuffed(std::string_view content);

}  // namespace godwit::smtp
