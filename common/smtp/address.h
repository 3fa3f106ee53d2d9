#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::smtp {

struct AddressRules {
  bool utf8 = false;             // RFC 6531: UTF-8 in local part and domain
  bool bare_postmaster = false;  // <postmaster> without a domain (RFC 5321 s4.1.1.3): RCPT only
  std::size_t local_part_bytes_max = 64;  // RFC 5321 s4.5.3.1.1
  std::size_t domain_bytes_max = 255;     // s4.5.3.1.2
  std::size_t path_bytes_max = 256;       // s4.5.3.1.3, with the angle brackets
};

// One mailbox of an envelope: "local@domain", or nothing (the null reverse-path), or "postmaster".
//
// Input     parse(): a Mailbox without angle brackets. parse_path(): a Path with them, and what
//           follows it.
// Output    the mailbox as it was given: case, quotes and escapes are kept, because only the final
//           destination may interpret a local part (RFC 5321 s2.3.11). A source route is dropped
//           (s4.1.1.3).
// Errors    kBadSyntax, kNeedsUtf8, kLocalPartTooLong, kDomainTooLong, kPathTooLong
// Threads   a value; parsing is pure
// Source    RFC 5321 s4.1.2 (Mailbox, Path), s4.1.3 (literals), s4.5.3.1; RFC 6531 s3.3
//
// Stricter than the RFC: a quoted local part may not hold control characters.
class Address {
 public:
  Address() = default;  // the null reverse-path
  [[nodiscard]] static Result<Address> parse(std::string_view mailbox,
                                             const AddressRules& rules = {});

  // Without angle brackets; what Envelope records carry and what MAIL and RCPT send.
  [[nodiscard]] const std::string& text() const { return text_; }
  // As given, with quotes where there are.
  [[nodiscard]] std::string_view local_part() const {
    return std::string_view(text_).substr(0, local_bytes_);
  }
  // As given; "[192.0.2.1]" for a literal; empty for the null path and a bare postmaster.
  [[nodiscard]] std::string_view domain() const;
  [[nodiscard]] bool is_null() const { return text_.empty(); }
  [[nodiscard]] bool is_literal() const { return domain().starts_with('['); }
  // True when it can only be sent with SMTPUTF8.
  [[nodiscard]] bool needs_utf8() const;

  bool operator==(const Address&) const = default;

 private:
  friend struct AddressParser;
  std::string text_;
  std::size_t local_bytes_ = 0;
};

// A path at the start of `text`: "<a@b>", "<>" and "<@r1,@r2:a@b>".
struct ParsedPath {
  Address address;
  std::size_t length = 0;  // octets of `text` it took, brackets included
};
// `null_allowed` for the reverse-path. Errors as above.
[[nodiscard]] Result<ParsedPath> parse_path(std::string_view text, const AddressRules& rules,
                                            bool null_allowed);

}  // namespace godwit::smtp
