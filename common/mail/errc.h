#pragma once

#include <system_error>

namespace godwit::mail {

enum class Errc {
  kBadAddressList = 1,  // not an RFC 5322 address list
  kNoAddress,           // well-formed, but without a mailbox ("undisclosed-recipients:;")
  kTooMany,             // more addresses, comments or nesting than the limit
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::mail

template <>
struct std::is_error_code_enum<godwit::mail::Errc> : std::true_type {};
