#pragma once

#include <string>
#include <string_view>

// Undoing what mail does to text on its way. Tolerant, for showing to people: what is wrong stays
// as it is. Threads: pure. Limits: output is at most twice the input.
namespace godwit::mail {

// `encoding` in lower case: quoted-printable, base64 (RFC 2045 s6.7, s6.8); others leave the octets
// alone.
[[nodiscard]] std::string decode_transfer(std::string_view octets, std::string_view encoding);

// `charset` in lower case. UTF-8 and ASCII stay as they are; ISO-8859-1 and Windows-1252 are mapped
// as Latin-1; of others only the ASCII characters mean anything.
[[nodiscard]] std::string to_utf8(std::string text, std::string_view charset);

// Encoded words (RFC 2047) in a header value.
[[nodiscard]] std::string decode_words(std::string_view value);

}  // namespace godwit::mail
