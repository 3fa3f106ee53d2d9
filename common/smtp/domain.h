#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

// Domain and address-literal syntax.
//
// Input     octets of a domain as it stands after "@" or after EHLO
// Output    whether it is one; nothing is looked up
// Limits    a label is at most 63 octets, a domain at most `kDomainBytesMax` (RFC 1035 s2.3.4,
//           RFC 5321 s4.5.3.1.2)
// Threads   pure
// Source    RFC 5321 s4.1.2, s4.1.3; RFC 6531 s3.3 (U-labels)
namespace godwit::smtp {

inline constexpr std::size_t kDomainBytesMax = 255;
inline constexpr std::size_t kLabelBytesMax = 63;

// "example.org", also a single label. Laxer than the RFC: "_" is taken as a letter, because hosts
// have such names. With `utf8` labels may hold well-formed UTF-8. No trailing dot. Errors:
// kBadSyntax, kNeedsUtf8, kDomainTooLong.
[[nodiscard]] Result<void> check_domain(std::string_view text, bool utf8);

// "[192.0.2.1]", "[IPv6:2001:db8::1]", "[tag:text]" (RFC 5321 s4.1.3). Errors: kBadSyntax,
// kDomainTooLong.
[[nodiscard]] Result<void> check_address_literal(std::string_view text);

[[nodiscard]] bool is_ipv4(std::string_view text);
[[nodiscard]] bool is_ipv6(std::string_view text);

}  // namespace godwit::smtp
