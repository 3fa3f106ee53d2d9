#pragma once

#include <system_error>

namespace godwit::poison {

enum class Errc {
  kInHand = 1,  // the process died kCrashesMax times with the record in hand
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::poison

template <>
struct std::is_error_code_enum<godwit::poison::Errc> : std::true_type {};
