#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/smtp/reply.h"

// The machine's part of a delivery status notification.
namespace godwit::report {

// What became of a recipient (RFC 3464 s2.3.3). Names are those of the field.
enum class Action : std::uint8_t { kUnset, kFailed, kDelayed, kDelivered, kRelayed, kExpanded };
[[nodiscard]] std::string_view action_name(Action action);  // "failed"; empty: kUnset
[[nodiscard]] Action action_of(std::string_view text);      // the first word counts, case does not

// One field, unfolded.
struct StatusField {
  std::string name;  // as it stands
  std::string value;
};
using StatusFields = std::vector<StatusField>;
// The first one of that name, case ignored; empty: none.
[[nodiscard]] std::string_view value_of(const StatusFields& fields, std::string_view name);

inline constexpr std::size_t kStatusRecipientsMax = 1000;
inline constexpr std::size_t kStatusFieldsMax = 64;  // of the message, and of each recipient
inline constexpr std::size_t kStatusValueBytesMax = 4096;

// Reads the body of message/delivery-status and message/global-delivery-status.
//
// Input     the body, transfer encoding undone, CRLF or LF
// Output    fields as they came, folds taken out. Nothing is interpreted
// Laxer     blocks without a recipient belong to the recipient before them (some reporters leave
//           empty lines between fields); the fields of the message may be missing; lines that are
//           no field are skipped
// Limits    above; what is beyond is left out. Longer values are cut
// Threads   pure; never fails
// Source    RFC 3464 s2.1; RFC 6533 s4
struct DeliveryStatus {
  StatusFields message;
  std::vector<StatusFields> recipients;
};
[[nodiscard]] DeliveryStatus parse_delivery_status(std::string_view body);

// "rfc822; a@b" taken apart (RFC 3464 s2.1.2). Without a type: all of it is the text.
struct TypedText {
  std::string type;  // lower case
  std::string text;  // white space at the ends, and angle brackets around all of it, taken away
};
[[nodiscard]] TypedText typed_text(std::string_view value);

// What can be found of an SMTP reply in a text that quotes one.
struct QuotedReply {
  int code = 0;  // 0: none found
  std::optional<smtp::EnhancedCode> enhanced;
};
// Threads: pure; linear in the text, of which the first 8 KiB are looked at.
[[nodiscard]] QuotedReply quoted_reply(std::string_view text);

}  // namespace godwit::report
