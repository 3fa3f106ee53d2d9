#pragma once

#include <system_error>

namespace godwit::admin {

// What went wrong between an operator and a process.
enum class Errc {
  kAddress = 1,  // `admin.listen` is not an address we can listen on
  kNobodyMay,    // refused to start: not a loopback address, and neither tokens nor certificates
  kFile,         // a certificate or key cannot be used; context names the file
  kUnreachable,  // nothing answers there
  kUnauthenticated,  // a credential is missing or wrong
  kDenied,           // who asks may not; context names the role that is needed
  kUnsupported,      // no role in that process has what was asked for
  kNotFound,         // what was named is not there
  kInvalid,          // the request makes no sense to it
  kRefused,          // it will not, now: context says why (a reload of a wrong configuration)
  kBusy,             // too many streams at once
  kDeadline,         // no answer in time
  kCancelled,        // one side went away in the middle of a stream
  kFailed,           // it tried and failed; context has its words
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::admin

template <>
struct std::is_error_code_enum<godwit::admin::Errc> : std::true_type {};
