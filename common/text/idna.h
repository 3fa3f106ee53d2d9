#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::text {

inline constexpr std::size_t kDomainBytesMax = 253;  // RFC 1035 s2.3.4: 255 on the wire
inline constexpr std::size_t kLabelBytesMax = 63;

// Brings a domain name into the one form that look-ups, lanes and comparisons use.
//
// Input     a domain of a mail address or host name, ASCII or UTF-8; one trailing dot is dropped
// Output    lower case, each label with a character beyond ASCII as its A-label ("bücher.example"
//           becomes "xn--bcher-kva.example")
// Errors    kBadDomain: an empty label, a label over 63 or a name over 253 octets, an octet no host
//           name has, a label that begins or ends with a hyphen, UTF-8 or IDNA 2008 rules broken
// Laxer     an underscore is taken: there are domains with mail that have one
// Limits    output <= 253 octets; input over 1,024 octets is refused unread
// Threads   pure
// Source    RFC 5890, RFC 5891 with the mapping of UTS #46 (non-transitional); RFC 1123 s2.1
[[nodiscard]] Result<std::string> to_ascii_domain(std::string_view domain);

// ASCII only: what differs from to_ascii_domain() is that nothing is checked and nothing is mapped.
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

// True when `name` is `suffix` or a name below it: both lower case, without trailing dot.
[[nodiscard]] bool is_below_or_equal(std::string_view name, std::string_view suffix);

}  // namespace godwit::text
