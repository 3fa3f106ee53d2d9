#pragma once

#include "common/base/result.h"
#include "common/record/records.h"

// Text in records is UTF-8: Protobuf would not read others back. What a peer said may be anything.
// Errors     kNotUtf8, with the part of the record that it is in
// Limits     all texts are looked at once; a second time, one by one, where not all is ASCII
// Threads    pure
namespace godwit::record {

[[nodiscard]] Result<void> check_text(const Message& message);
[[nodiscard]] Result<void> check_text(const Delivery& delivery);
[[nodiscard]] Result<void> check_text(const Event& event);

}  // namespace godwit::record
