#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/mail/header.h"
#include "common/smtp/reply.h"
#include "godwit/v1/message.pb.h"

namespace godwit::ingress {

// What a client asks for a message in header fields of our own. They are meant for us: the message
// goes on without them.
//
//     X-Godwit-Class: urgent                or bulk, which is the default
//     X-Godwit-Tag: spring-sale, weekly     tags; the field may be given several times
struct MessageOptions {
  v1::MessageClass message_class = v1::BULK;
  std::vector<std::string> tags;  // no two alike, in the order they were given
};

inline constexpr std::size_t kTagsMax = 10;
inline constexpr std::size_t kTagBytesMax = 128;

struct TakenOptions {
  MessageOptions options;
  Rope content;             // the message without those fields; shares the octets it was given
  std::size_t removed = 0;  // octets taken out
};

// Reads the options of a message and takes their fields out.
//
// Input     the header as scanned from `content`; names and values in any case, folds allowed
// Errors    550 5.6.0 for an unknown X-Godwit- field, a value it cannot have, or a field given twice
//           that is single: an option with a spelling mistake is never passed over in silence
// Limits    time linear in the header section; kTagsMax tags of kTagBytesMax printable ASCII
//           characters: they go into every record about the message
// Threads   pure
[[nodiscard]] std::expected<TakenOptions, smtp::Reply> take_options(const mail::Header& header,
                                                                    Rope content);

}  // namespace godwit::ingress
