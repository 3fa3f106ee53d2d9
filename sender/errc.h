#pragma once

#include <system_error>

namespace godwit::sender {

// Why the role did not do what was asked. What becomes of mail is never an error, but an outcome.
enum class Errc {
  kNoCapture = 1,  // a route says `to: capture`, and there is no capture server in this process
  kBusy,           // a shard did not answer in time
  kContentMemory,  // no share of content_memory now
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::sender

template <>
struct std::is_error_code_enum<godwit::sender::Errc> : std::true_type {};
