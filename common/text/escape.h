#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace godwit::text {

// Makes what a peer said safe to log, store and show.
//
// Input     any octets
// Output    valid UTF-8 on one line: printable ASCII as it is, valid UTF-8 beyond ASCII as it is
//           except for control, format and line-separator characters; every other octet as "\xNN",
//           CR LF TAB as one space, a backslash as "\\". Longer than bytes_max: cut between
//           characters, with "..." as its end.
// Limits    output <= bytes_max octets (at least 8)
// Threads   pure
[[nodiscard]] std::string printable(std::string_view peer_text, std::size_t bytes_max);

// True when all octets are below 128. Runs at memory speed.
[[nodiscard]] bool is_ascii(std::string_view text);

// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
// Strings in records must be: Protobuf does not parse others.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace godwit::text
