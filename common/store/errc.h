#pragma once

#include <system_error>

namespace godwit::store {

// Why a file or the store did not do what was asked.
enum class Errc {
  kIo = 1,    // the operating system's error; context has its text
  kNoSpace,   // the disk (or a quota) is full: nothing is broken, it may work later
  kNotFound,  // no such file
  kLocked,    // another process holds it
  kCorrupt,   // what was read is not what was written
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::store

template <>
struct std::is_error_code_enum<godwit::store::Errc> : std::true_type {};
