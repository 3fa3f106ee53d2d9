#pragma once

#include <expected>
#include <string_view>

#include "common/smtp/envelope.h"
#include "common/smtp/reply.h"

// Command lines.
//
// Input     one line without its CRLF, and free of CR, LF and NUL (the session saw to that)
// Output    the verb and what follows it; for MAIL and RCPT the parsed path and parameters
// Errors    the Reply to send: 500 5.5.2, 501 5.5.4, 501 5.1.7 / 5.1.3 (address), 553 5.6.7 (needs
//           SMTPUTF8), 555 5.5.4 (parameter not known or not offered), 552 5.3.4 (SIZE), 501 5.5.2
// Threads   pure
// Source    RFC 5321 s4.1.1, s2.4 (case); RFC 1870, 3461, 4954, 6152, 6531 for the parameters
//
// Laxer than the RFC: one space after "FROM:" and "TO:" is skipped, trailing white space is
// ignored; both are common and harmless. A path without angle brackets is refused.
namespace godwit::smtp {

enum class Verb : std::uint8_t {
  kUnknown,
  kHelo,
  kEhlo,
  kMail,
  kRcpt,
  kData,
  kBdat,
  kRset,
  kNoop,
  kVrfy,
  kExpn,
  kHelp,
  kQuit,
  kStartTls,
  kAuth,
};

struct Command {
  Verb verb = Verb::kUnknown;
  std::string_view argument;  // after the verb and its space, trailing white space removed
};
[[nodiscard]] Command parse_command(std::string_view line);

// Which parameters may be used: those of extensions that the session offered.
struct Extensions {
  bool size = true;
  bool eight_bit_mime = true;
  bool smtputf8 = true;
  bool dsn = true;
  bool auth = false;
};

struct MailCommand {
  Address sender;
  MailParameters parameters;
};
struct RcptCommand {
  Address recipient;
  RcptParameters parameters;
};
struct BdatCommand {
  std::uint64_t size = 0;
  bool last = false;
};

// `argument` begins with "FROM:" / "TO:". `rules.utf8` is set by SMTPUTF8 of the same MAIL, given
// to RCPT by the caller.
[[nodiscard]] std::expected<MailCommand, Reply> parse_mail(std::string_view argument,
                                                           AddressRules rules,
                                                           const Extensions& extensions);
[[nodiscard]] std::expected<RcptCommand, Reply> parse_rcpt(std::string_view argument,
                                                           AddressRules rules,
                                                           const Extensions& extensions);
// "1000", "1000 LAST" (RFC 3030 s2).
[[nodiscard]] std::expected<BdatCommand, Reply> parse_bdat(std::string_view argument);

}  // namespace godwit::smtp
