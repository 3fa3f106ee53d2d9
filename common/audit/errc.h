#pragma once

#include <system_error>

namespace godwit::audit {

// Why an audit could not be made. What it found is a Report, never an error.
enum class Errc {
  kSpill = 1,  // a temporary file failed; context has its directory and the system's text
  kCancelled,  // the caller no longer wants it
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::audit

template <>
struct std::is_error_code_enum<godwit::audit::Errc> : std::true_type {};
