#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace godwit::capture {

// What a person wants to see of a mail: its header fields and its text.
//
// Input      a mail's octets, of any quality
// Output     fields in order, unfolded, encoded words (RFC 2047, UTF-8 and Latin-1) decoded; the
//            first text/plain part (else the first text part) with its transfer encoding undone, as
//            UTF-8; names of attachments
// Errors     none: what cannot be understood is shown as it is
// Limits     100 fields of 2,000 octets, 256 KiB of text, parts nested 5 deep and 100 in all;
//            `truncated` says so
// Threads    pure
struct MailView {
  struct Field {
    std::string name;
    std::string value;
    bool operator==(const Field&) const = default;
  };
  std::vector<Field> fields;
  std::string text;
  std::string text_type;                 // "text/plain"; empty: there is no text part
  std::vector<std::string> attachments;  // file name, or type when it has none
  bool truncated = false;

  // The first field of that name, whatever the case; empty: there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

[[nodiscard]] MailView view_mail(std::string_view octets);

}  // namespace godwit::capture
