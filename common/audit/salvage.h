#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace godwit::audit {

// Whose mail a record is that decoding refuses: cut off, damaged behind its head, or of a version that is not known.
//
// Input     octets of a Message or a Delivery, whole or its first part
// Output    what could still be read in front of the content: the message id, and the recipients when the envelope
//           is whole and in the clear. Both records keep them under the same field numbers, for ever
// Safe      fields are walked over and not parsed: it may be what killed the process that decoded it
// Threads   pure
struct Salvaged {
  std::optional<MessageId> message;
  std::vector<std::uint32_t> recipients;  // indexes; empty: they cannot be read
};
[[nodiscard]] Salvaged salvage(std::string_view record);
// The message id alone: walks over the fields in front and takes no other apart.
[[nodiscard]] std::optional<MessageId> salvage_message(std::string_view record);

}  // namespace godwit::audit
