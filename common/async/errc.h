#pragma once

#include <system_error>

namespace godwit::async {

enum class Errc {
  kBusy = 1,  // the queue is full: nothing was done
  kClosed,    // stopping: nothing was done
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::async

template <>
struct std::is_error_code_enum<godwit::async::Errc> : std::true_type {};
