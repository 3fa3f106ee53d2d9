#pragma once

#include <system_error>

namespace godwit::control {

enum class Errc {
  kBadRate = 1,  // not a rate
  kBadFile,      // the control file has problems; context lists them all with line and column
  kUnreadable,   // the control file, or one it names, could not be read
  kBadRoute,     // not a static route
  kReadOnly,     // a file is the truth: it is changed there
  kNotReady,     // the table has not been read to its end yet
  kUnfinished,   // a change may or may not be in force: context says how to find out
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::control

template <>
struct std::is_error_code_enum<godwit::control::Errc> : std::true_type {};
