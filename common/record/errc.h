#pragma once

#include <system_error>

namespace godwit::record {

// Why a record could not be read or written. All of them are final for that record: reading it
// again gives the same. A reader puts it into `dead` with the cause and goes on.
enum class Errc {
  kMalformed =
      1,  // not a record of that kind: broken Protobuf, a required field missing or out of range
  kUnknownVersion,     // written by a newer Godwit, in a form this one must not guess at
  kUnknownEncryption,  // a sealed field this version cannot open
  kNotUtf8,            // a text field that Protobuf would not read back (encoding only)
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::record

template <>
struct std::is_error_code_enum<godwit::record::Errc> : std::true_type {};
