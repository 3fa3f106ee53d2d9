#pragma once

#include <system_error>

namespace godwit::log {

// Why the log did not do what was asked. A caller needs to know one thing above all: may the record be there?
enum class Errc {
  // not written: the disk is full down to the reserve, or a quota is reached. 452 4.3.1
  kNoSpace = 1,
  // not written: the log cannot take anything now (broker gone, disk failing). 451 4.3.0
  kUnavailable,
  kUnknown,  // may or may not have been written: the answer never came. 451; a repeat may duplicate
  kFenced,   // not written, and never will be: another owner has the partition
  kTooLarge,     // not written: over the record's limit
  kClosed,       // not written: the log is stopping
  kNotFound,     // read: that offset is gone or was never there
  kCorrupt,      // read: stored octets do not have the checksum they were written with
  kUnsupported,  // this kind of log cannot do that (see Log::reads_by_position)
  kIo,           // the operating system's error; context has its text
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::log

template <>
struct std::is_error_code_enum<godwit::log::Errc> : std::true_type {};
