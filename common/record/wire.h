#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

// The octets of Protobuf, as far as carrying content around the generated code needs them.
namespace godwit::record {

// A length-delimited field that was taken out of a message.
struct TakenField {
  std::uint32_t number = 0;
  bool present = false;
  Rope payload;  // without tag and length; slices of the message, not copies
};

// What is left of a message when some of its fields were taken out.
struct TakenApart {
  Bytes rest;             // all other fields in order: parses as the same message type
  std::uint64_t version;  // of field 1, the last one counts; 0: absent
};

// Takes length-delimited fields out of a serialised message without copying them.
//
// Input     `message`; `taken`: the numbers of the fields wanted
// Output    each TakenField filled in; everything else, unknown fields too, in TakenApart::rest: a
//           slice where it is one run in one piece of the Rope (a taken field at the end), a copy
//           otherwise
// Errors    kMalformed: not Protobuf, a group, or a wanted field twice or of another wire type
// Limits    time linear in the number of fields and pieces; never reads the payloads
// Source    https://protobuf.dev/programming-guides/encoding
[[nodiscard]] Result<TakenApart> take_apart(const Rope& message,
                                            std::initializer_list<TakenField*> taken);

// True when a top-level field of that number is in a serialised message. Reads tags and lengths
// only; octets that are no Protobuf: false once they stop making sense. Threads: pure
[[nodiscard]] bool has_field(std::string_view message, std::uint32_t number);

// Appends tag and length of a length-delimited field; the payload is to follow. put_field_head()
// writes them to `at`, where field_head_bytes() octets are free, and returns what is behind.
void append_field_head(std::string& out, std::uint32_t number, std::size_t payload_bytes);
char* put_field_head(char* at, std::uint32_t number, std::size_t payload_bytes);
[[nodiscard]] std::size_t field_head_bytes(std::uint32_t number, std::size_t payload_bytes);

// Appends a field that is a number, whole.
void append_varint_field(std::string& out, std::uint32_t number, std::uint64_t value);

}  // namespace godwit::record
