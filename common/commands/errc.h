#pragma once

#include <system_error>

namespace godwit::commands {

enum class Errc {
  kBadCommand = 1,  // context says what is missing or wrong
  kNoSuchCommand,
  kOver,        // it was undone, or has ended: nothing is left to undo
  kTooMany,     // as many are in force as may be
  kNotReady,    // the table has not been read to its end yet
  kUnfinished,  // it may or may not be in force; context says how to find out
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::commands

template <>
struct std::is_error_code_enum<godwit::commands::Errc> : std::true_type {};
