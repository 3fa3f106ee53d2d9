#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace godwit::mail {

inline constexpr std::size_t kMailboxesMax = 10'000;
inline constexpr std::size_t kCommentDepthMax = 32;

struct Mailbox {
  std::string display_name;  // unquoted, folds and comments taken out; encoded words (RFC 2047) as
                             // they stand
  std::string local_part;    // unquoted
  std::string
      domain;  // as written, comments and white space taken out; "[192.0.2.1]" for a literal

  bool operator==(const Mailbox&) const = default;
};

// Reads the value of From, Sender, To, Cc or Reply-To.
//
// Input     a raw field value, folds included
// Output    every mailbox in order, those inside groups too
// Errors    kBadAddressList, kTooMany
// Laxer     obsolete forms are taken: empty list entries, routes ("<@a,@b:user@c>"), white space
//           and comments around dots (RFC 5322 s4.4); unquoted dots and UTF-8 in display names
//           (s4.1, RFC 6532); an address as an unquoted display name ("a@b <c@d>" is c@d); a
//           mailbox without a domain ("root")
// Limits    kMailboxesMax mailboxes, kCommentDepthMax nested comments; time linear in the input
// Threads   pure
// Source    RFC 5322 s3.4, s4.4; RFC 6854 (groups in From)
[[nodiscard]] Result<std::vector<Mailbox>> parse_address_list(std::string_view value);

// The domain a message speaks for: of the first mailbox of From, ASCII lower case. What tenants,
// DKIM and DMARC go by. Errors as above, and kNoAddress where there is no mailbox or it has no
// domain.
[[nodiscard]] Result<std::string> from_domain(std::string_view from_value);

}  // namespace godwit::mail
