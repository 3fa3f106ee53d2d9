#pragma once

#include <system_error>

namespace godwit::smtp {

// What was wrong with SMTP text. For text that came as a command the server answers with a Reply
// instead.
enum class Errc {
  kBadSyntax = 1,     // not what the grammar allows
  kNeedsUtf8,         // would be right with SMTPUTF8, which was not asked for
  kLocalPartTooLong,  // RFC 5321 s4.5.3.1.1
  kDomainTooLong,     // RFC 5321 s4.5.3.1.2
  kPathTooLong,       // RFC 5321 s4.5.3.1.3
  kLineTooLong,       // a reply line beyond the limit (RFC 5321 s4.5.3.1.5)
  kTooManyLines,      // a reply of more lines than we take
  kBareControl,       // a CR without LF, an LF without CR, or a NUL (RFC 5321 s2.3.8)
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::smtp

template <>
struct std::is_error_code_enum<godwit::smtp::Errc> : std::true_type {};
