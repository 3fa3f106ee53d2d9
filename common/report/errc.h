#pragma once

#include <system_error>

namespace godwit::report {

enum class Errc {
  kNotReturnAddress = 1,  // not of our form: another local part
  kUnknownKey,            // of our form, signed with a key we do not have (any more)
  kForged,                // of our form, and the signature does not fit
  kBadKeys,               // a file of keys that is none, with the line
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::report

template <>
struct std::is_error_code_enum<godwit::report::Errc> : std::true_type {};
