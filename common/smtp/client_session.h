#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/smtp/envelope.h"
#include "common/smtp/reply.h"
#include "common/smtp/sasl.h"

namespace godwit::smtp {

// Where in the dialogue something was said. The names are those of Reply::command in the records.
enum class ClientStage : std::uint8_t {
  kBanner,
  kEhlo,
  kStartTls,
  kAuth,
  kMail,
  kRcpt,
  kData,
  kDot,
  kReset,
  kQuit
};
[[nodiscard]] std::string_view stage_name(
    ClientStage stage);  // "banner" "EHLO" ... "MAIL" "RCPT" "DATA" "dot"

enum class ClientTls : std::uint8_t {
  kNever,      // also when offered
  kIfOffered,  // opportunistic; refused by the peer: goes on in the clear
  kRequired,   // not offered or refused: the session fails
};

struct ClientConfig {
  std::string helo = "localhost";  // a domain or an address literal
  ClientTls tls = ClientTls::kIfOffered;
  bool tls_active = false;  // implicit TLS: already encrypted when the session begins
  std::optional<Credentials>
      credentials;             // AUTH before the first transaction; without AUTH offered it fails
  bool auth_in_clear = false;  // allowed to send them without TLS
  bool pipelining = true;      // where offered
  // What is offered and still not used, for peers that offer what they cannot do.
  bool ignore_8bitmime_missing =
      false;  // send 8-bit content to a host without 8BITMIME all the same
  ReplyLimits replies;
  std::size_t write_bytes_max = 256 * 1024;  // of one kWrite
};

// What the peer said in its EHLO reply.
struct PeerFeatures {
  bool esmtp = false;  // EHLO was taken
  bool pipelining = false;
  bool eight_bit_mime = false;
  bool smtputf8 = false;
  bool dsn = false;
  bool enhanced_status_codes = false;
  bool chunking = false;
  bool starttls = false;
  bool auth_plain = false;
  bool auth_login = false;
  bool size = false;
  std::uint64_t size_max = 0;  // 0: not said (RFC 1870 s4)
  std::string name;            // first word of the reply: how the host calls itself
};

struct ClientRecipient {
  std::string address;      // forward-path without angle brackets
  std::uint8_t notify = 0;  // kNotify...
  std::string orcpt;        // "addr-type;address", not encoded
};

// One message to some recipients, as it will be offered. Parameters are sent only where the peer
// has the extension.
struct ClientTransaction {
  std::uint64_t tag = 0;  // the caller's; comes back with the outcome
  std::string sender;     // reverse-path without angle brackets; empty: null
  Ret ret = Ret::kUnset;
  std::string envid;      // not encoded
  bool smtputf8 = false;  // needs it: refused here with 5.6.7 when not offered
  bool eight_bit =
      false;  // has 8-bit content: refused here with 5.6.3 when 8BITMIME is not offered
  std::uint64_t size = 0;  // octets unstuffed, for SIZE: refused here with 5.3.4 when above the
                           // peer's limit; 0: not said
  std::vector<ClientRecipient> recipients;  // at least one
  Rope content;                             // CRLF lines
  bool dot_stuffed = true;                  // `content` is in wire form (RFC 5321 s4.5.2)
};

struct RecipientOutcome {
  enum class Kind : std::uint8_t {
    kDelivered,  // 2xx to the final dot: the peer has it
    kDeferred,   // 4xx, or the connection was lost before the final dot went out
    kRefused,    // 5xx, or refused here (reply.code 0) because the peer cannot take it
    kUnknown,    // the connection was lost after the final dot went out: nobody knows
  };
  Kind kind = Kind::kDeferred;
  ClientStage stage = ClientStage::kMail;  // that decided it
  Reply reply;  // the peer's; code 0: ours, the text says what happened, `enhanced` is set
};

struct TransactionOutcome {
  std::uint64_t tag = 0;
  std::vector<RecipientOutcome> recipients;  // in the order of the transaction's
  // False: the transaction never came to its turn (the session ended before its MAIL was answered).
  // Its recipients are kDeferred; that says nothing about them, and they may be tried elsewhere at
  // once.
  bool attempted = false;
};

// Why a session came to no good before or between transactions.
struct SessionFailure {
  ClientStage stage = ClientStage::kBanner;
  Reply reply;  // the peer's (421, 554 banner, 535 AUTH, ...), or code 0 and ours
};

struct ClientAction {
  enum class Kind : std::uint8_t {
    kWrite,  // write all of take_output(), then next(); when the write fails: disconnected()
    kRead,   // read octets behind those that are left, then next(); when that fails: disconnected()
    kStartTls,  // do the handshake, then tls_started(); when it fails: tls_failed()
    kOutcome,   // take_outcome(), then next()
    kIdle,      // nothing under way: begin(), or quit(), or keep for later (readable means the peer
                // hangs up)
    kClosed,    // over: close the connection. failure() says why, unless quit() was asked for
  };
  Kind kind = Kind::kRead;
  std::size_t consumed = 0;  // octets to drop from the front of the input, before acting
};

// The client's half of one SMTP connection, without the connection: any number of transactions, one
// after another, pipelined where the peer allows it: MAIL, RCPTs and DATA in one flight, and the
// next transaction's behind the final dot of the one before.
//
// Input     transactions; octets of the peer in any split
// Output    ClientActions, what to write (a Rope that shares the content), an outcome for every
//           recipient of every transaction begun: exactly one each, whatever the peer does
// Errors    never thrown or returned: every reply, misbehaviour and loss of the connection has a
//           defined outcome. An unexpected code or a malformed reply is treated as a lost
//           connection (outcomes deferred, or unknown after the final dot) and ends the session.
//           421 ends the session wherever it comes.
// Security  octets behind the 220 of STARTTLS fail the session (injected plaintext); EHLO is
//           repeated under TLS
// Limits    ReplyLimits; at most two transactions are under way
// Threads   one at a time; no I/O, no clock: the caller times each stage() (RFC 5321 s4.5.3.2) and
//           on a timeout calls disconnected()
// Source    RFC 5321 s3, s4.2; 1870, 2920, 3207, 3461, 4954, 6152, 6531
//
// In a coroutine (an action stands until it was acted on, so asking again is harmless):
//     ClientSession session(config);
//     for (;;) {
//       const ClientAction action = session.next(input.view());
//       input.consume(action.consumed);
//       if (session.can_begin()) {  // before output is taken: so it rides behind the final dot
//         if (auto transaction = lane.pop()) {
//           session.begin(std::move(*transaction));
//           continue;
//         }
//       }
//       const Instant deadline = deadline_of(session.stage());
//       switch (action.kind) {
//         case Kind::kWrite:
//           if (auto r = co_await stream.write(session.take_output(), deadline); !r)
//             session.disconnected(r.error().to_string());
//           break;
//         case Kind::kRead:
//           if (auto r = co_await input.fill(stream, deadline); !r)
//             session.disconnected(r.error().to_string());
//           break;
//         case Kind::kStartTls:
//           if (auto r = co_await stream.start_tls_client(tls, host, deadline))
//             session.tls_started();
//           else
//             session.tls_failed(r.error().to_string());
//           break;
//         case Kind::kOutcome: report(session.take_outcome()); break;
//         case Kind::kIdle:
//           if (!co_await lane.wait_for_work(idle_timeout)) session.quit();
//           break;
//         case Kind::kClosed: co_return session.failure();
//       }
//     }
class ClientSession {
 public:
  explicit ClientSession(ClientConfig config);
  ~ClientSession();
  ClientSession(ClientSession&&) noexcept;
  ClientSession& operator=(ClientSession&&) noexcept;

  [[nodiscard]] ClientAction next(std::string_view input);

  // A transaction would be taken now: the session is greeted and idle, or the final dot of the only
  // transaction under way stands in the output and the peer does PIPELINING.
  [[nodiscard]] bool can_begin() const;
  // Needs can_begin() (a CHECK), and at least one recipient.
  void begin(ClientTransaction transaction);
  // No more transactions: those under way are finished, then QUIT. kClosed follows its reply, or at
  // once on an error.
  void quit();

  // The connection is gone or given up: no more input or output. Outcomes of what was under way
  // follow, then kClosed.
  void disconnected(std::string_view why);
  void tls_started();
  void tls_failed(std::string_view why);

  [[nodiscard]] Rope take_output();
  [[nodiscard]] TransactionOutcome take_outcome();

  // What is waited for, or was about to be: which timeout holds.
  [[nodiscard]] ClientStage stage() const;
  // Valid once greeted (can_begin() was true, or an outcome came).
  [[nodiscard]] bool greeted() const;
  [[nodiscard]] const PeerFeatures& peer() const;
  [[nodiscard]] bool tls() const;
  // Set when the session ended otherwise than by quit(). An error after QUIT is none.
  [[nodiscard]] const std::optional<SessionFailure>& failure() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::smtp
