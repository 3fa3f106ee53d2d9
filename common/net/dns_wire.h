#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/net/resolver.h"

// DNS names and record data as they are on the wire (RFC 1035 s3.1, s3.3), apart from any resolver.
// Input is hostile. Pure.
namespace godwit::net {

// A name as it is asked for: lower case, no final dot. Nothing when no DNS message can carry it: an
// empty label, one over 63 octets, more than 253 octets, or characters no host or service name has
// (only letters, digits, '-' and '_' are taken; internationalised names are A-labels by now).
[[nodiscard]] std::optional<std::string> dns_question_name(std::string_view text);

// An uncompressed wire name as text: lower case, no final dot; "" for the root. Nothing when
// malformed or when a label has a character as above is not taken: no such host can be connected
// to.
[[nodiscard]] std::optional<std::string> dns_name_from_wire(std::string_view wire);

// Record data; nothing when malformed.
[[nodiscard]] std::optional<MxRecord> mx_from_wire(std::string_view data);
[[nodiscard]] std::optional<std::string> txt_from_wire(std::string_view data);
[[nodiscard]] std::optional<TlsaRecord> tlsa_from_wire(std::string_view data);

}  // namespace godwit::net
