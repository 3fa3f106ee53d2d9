#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/report/delivery_status.h"

// Writes delivery status notifications: what we tell a submitter about recipients.
namespace godwit::report {

struct DsnRecipient {
  std::string recipient;  // as we were given it
  std::string orcpt;      // "addr-type;address", decoded (RFC 3461 s4.2); empty: none came
  Action action = Action::kFailed;
  smtp::EnhancedCode status;
  std::string remote_host;  // that said it; empty: nobody
  std::string diagnostic;   // "550 5.1.1 no such user"; empty: nobody said anything
  Timestamp last_attempt;
  std::optional<Timestamp> will_retry_until;  // of what is delayed
};

struct DsnContent {
  MessageId id;      // of the notification
  std::string host;  // Reporting-MTA, and the domain of its sender
  std::string to;    // whom it goes to: the sender of the message; never null
  Timestamp now;
  Timestamp arrival;                     // of the message
  std::string envelope_id;               // ENVID, decoded; empty: none came
  std::vector<DsnRecipient> recipients;  // at least one
  std::string returned;  // the message or its header section, CRLF, not dot-stuffed; may be empty
  bool returned_whole = false;  // it is the message (RET=FULL)
};

struct Dsn {
  std::string content;    // CRLF line ends, not dot-stuffed
  bool has_8bit = false;  // needs 8BITMIME
  bool smtputf8 = false;  // needs SMTPUTF8: the address it goes to does
};

// A multipart/report: text for people, message/delivery-status, what is returned.
//
// UTF-8     addresses beyond ASCII are typed utf-8, and escaped as RFC 6533 s3 says unless the
//           notification itself goes by SMTPUTF8 (then message/global-delivery-status). A returned
//           header beyond ASCII is message/global-headers or message/global
// Security  what peers said is made printable and cannot end a line or a part: the boundary does
//           not occur in what is returned
// Limits    output: what is returned, and at most 4 KiB for each recipient
// Threads   pure
// Source    RFC 3461 s6, RFC 3464, RFC 6522, RFC 6533; RFC 3834 s5 (Auto-Submitted)
[[nodiscard]] Dsn write_dsn(const DsnContent& content);

// The id of the notification that follows from an event: the same whenever it is written again.
// Time-ordered as others: the event's time, and a hash of `cause`.
[[nodiscard]] MessageId derived_id(Timestamp time, std::string_view cause);

}  // namespace godwit::report
