#pragma once

#include <system_error>

namespace godwit::capture {

enum class Errc {
  kTooLarge = 1,  // one mail is larger than the whole capture may be
  kNotFound,      // no such mail: it made room for newer ones, or was never there
  kBadMetadata,   // a metadata file that is not ours
  kIo,            // the operating system's error; context has its text
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::capture

template <>
struct std::is_error_code_enum<godwit::capture::Errc> : std::true_type {};
