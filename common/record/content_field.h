#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "godwit/v1/envelope.pb.h"

// The content of a record that nobody decodes: one field of its octets, whatever is wrong with the others.
// Threads    pure
namespace godwit::record {

// Where the content of a Message or a Delivery is, its size and checksum; what is inline is left out.
// Errors: kMalformed.
[[nodiscard]] Result<v1::Content> content_field(const Rope& record);

// The inline content of an accepted record, as decode_message() gives it: version, encryption, place and size are
// checked, the other fields are not looked at. Errors: kMalformed, kUnknownVersion, kUnknownEncryption.
[[nodiscard]] Result<Rope> inline_content(const Rope& record);

// The same record with `data` as its inline content in place of any reference; all other fields stay as
// they are, octet by octet. Errors: kMalformed.
[[nodiscard]] Result<Rope> with_inline_content(const Rope& record, const Rope& data);

}  // namespace godwit::record
