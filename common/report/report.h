#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/report/category.h"
#include "common/report/delivery_status.h"

namespace godwit::report {

// What a mail that comes back is. Names: bounce feedback autoreply unsubscribe other.
enum class Kind : std::uint8_t { kOther, kBounce, kFeedback, kAutoreply, kUnsubscribe };
[[nodiscard]] std::string_view kind_name(Kind kind);

// What a bounce says about one recipient.
struct RecipientReport {
  std::string recipient;  // Final-Recipient, or what the text names; empty: not said
  std::string original;   // Original-Recipient: the one we wrote to; empty: not said
  Action action = Action::kUnset;
  std::optional<smtp::EnhancedCode> status;
  int code = 0;             // SMTP, 0: not said
  std::string remote_host;  // Remote-MTA
  std::string diagnostic;   // one line, printable, at most 1,024 octets
  std::string_view category;
  Meaning meaning;
};

struct Report {
  Kind kind = Kind::kOther;
  std::vector<RecipientReport> recipients;  // of feedback: those the provider names
  bool machine_readable = false;            // RFC 3464 or RFC 5965: nothing was guessed
  std::string reporting_host;               // Reporting-MTA
  std::string envelope_id;                  // Original-Envelope-Id
  std::string feedback_type;                // "abuse", lower case
  std::string original_sender;  // Original-Mail-From, or Return-Path of the returned message
};

inline constexpr std::size_t kReportBytesMax = 1 << 20;

// Understands a mail that came back.
//
// Input     the message with CRLF or LF line ends, not dot-stuffed. The first kReportBytesMax
//           octets are looked at: what matters stands in front
// Output    kind: in this order RFC 5965 feedback, RFC 3464 delivery status, somebody's request to
//           be left alone, what bounces look like (read_bounce_text), automatic replies (RFC 3834).
//           category and meaning for each recipient of a bounce. Everything valid UTF-8
// Status    of the field, else of the text; where the field says X.0.0 and the text says more, the
//           text's. Without either: 5.0.0 for what failed, 4.0.0 for what is late
// Limits    time linear in the input; kStatusRecipientsMax recipients
// Threads   pure; never fails, whatever the octets
// Source    RFC 3464, 5965, 6522, 6533, 3834
[[nodiscard]] Report parse_report(std::string_view message);

}  // namespace godwit::report
