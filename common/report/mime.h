#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/mail/header.h"

// The parts of a message, as far as reading reports needs them.
namespace godwit::report {

inline constexpr std::size_t kPartsMax = 64;
inline constexpr int kPartDepthMax = 8;

// A body that is not divided further. Views into the message.
struct Part {
  std::string type;  // "text/plain", lower case; text/plain where nothing is said (RFC 2045 s5.2)
  std::string encoding;  // of the transfer, lower case
  std::string_view body;

  // With the transfer encoding undone.
  [[nodiscard]] std::string decoded() const;
};

// Takes a message apart.
//
// Input     a message with CRLF or LF line ends, not dot-stuffed
// Output    header and leaves in order. Attached messages (message/*) are leaves: nobody is told
//           what the mail in a bounce contains
// Laxer     the boundary's line may stand anywhere, the last one may be missing; a part without
//           header fields is taken as it is
// Limits    kPartsMax leaves, kPartDepthMax levels: what is beyond is left out. Time linear in the
//           input for each level
// Threads   pure
// Source    RFC 2045 s5, RFC 2046 s5.1
struct Parts {
  mail::Header header;      // of the message
  std::string type;         // of the message, lower case
  std::string report_type;  // of multipart/report (RFC 6522), lower case
  std::string_view body;    // behind the header
  std::vector<Part> leaves;
};
[[nodiscard]] Parts take_apart(std::string_view octets);

// A parameter of a structured value: `; name="value"`; empty: it is not there (RFC 2045 s5.1).
[[nodiscard]] std::string parameter(std::string_view value, std::string_view name);

}  // namespace godwit::report
