#pragma once

#include <cstddef>
#include <expected>
#include <string_view>

#include "common/base/bytes.h"
#include "common/mail/header.h"
#include "common/smtp/reply.h"
#include "godwit/v1/message.pb.h"

namespace godwit::ingress {

// What a client asks for a message in header fields of our own. They are meant for us: the message
// goes on without them.
//
//     X-Godwit-Class: urgent        or bulk, which is the default
struct MessageOptions {
  v1::MessageClass message_class = v1::BULK;
};

struct TakenOptions {
  MessageOptions options;
  Rope content;             // the message without those fields; shares the octets it was given
  std::size_t removed = 0;  // octets taken out
};

// Reads the options of a message and takes their fields out.
//
// Input     the header as scanned from `content`; names and values in any case, folds allowed
// Errors    550 5.6.0 for an unknown X-Godwit- field, an unknown value, or a field given twice: an
//           option with a spelling mistake is never passed over in silence
// Limits    time linear in the header section
// Threads   pure
[[nodiscard]] std::expected<TakenOptions, smtp::Reply> take_options(const mail::Header& header,
                                                                    Rope content);

}  // namespace godwit::ingress
