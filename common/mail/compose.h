#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/ids.h"

// Header fields that Godwit adds in front of a message.
//
// Output    whole fields with CRLF, lines of at most 78 octets where a fold is possible (RFC 5322
//           s2.1.1), in ASCII unless `smtputf8`; whatever the peer said cannot end a line, a
//           comment or the field
// Threads   pure
namespace godwit::mail {

// "Sun, 22 Nov 2026 19:10:44 +0000" (RFC 5322 s3.3). In UTC: the zone of a node says nothing to
// anybody.
[[nodiscard]] std::string format_date(Timestamp time);

// "<0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e@mta1.example>" (RFC 5322 s3.6.4)
[[nodiscard]] std::string make_message_id(const MessageId& id, std::string_view domain);

[[nodiscard]] std::string date_field(Timestamp time);
[[nodiscard]] std::string message_id_field(const MessageId& id, std::string_view domain);

// What a trace line tells (RFC 5321 s4.4, RFC 3848, RFC 8314 s4.3).
struct Received {
  std::string_view helo;      // as the peer said it: hostile
  std::string_view address;   // the peer's, text form without port: "192.0.2.1", "2001:db8::1"
  std::string_view by;        // our host name
  std::string_view protocol;  // RFC 3848: "ESMTPSA"; "HTTP"
  std::string_view tls;       // "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: none
  MessageId id;
  std::string_view
      recipient;  // only when the message has exactly one (RFC 5321 s7.2: others stay private)
  Timestamp time;
};
[[nodiscard]] std::string received_field(const Received& received);

}  // namespace godwit::mail
