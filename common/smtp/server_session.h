#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/smtp/command.h"
#include "common/smtp/data_scanner.h"
#include "common/smtp/envelope.h"
#include "common/smtp/reply.h"
#include "common/smtp/sasl.h"

namespace godwit::smtp {

enum class ServerKind : std::uint8_t {
  kRelay,       // no AUTH; the caller says who may send
  kSubmission,  // AUTH before MAIL (RFC 6409)
  kInbound,     // no AUTH; the caller says which recipients it takes
};

// Every limit of RFC 5321 s4.5.3 and some more. 0 means none, where that is said.
struct ServerLimits {
  AddressRules paths;  // s4.5.3.1.1 to .3; `utf8` and `bare_postmaster` are set by the session
  std::size_t command_line_bytes_max = 512;  // s4.5.3.1.4, CRLF included
  std::size_t path_line_bytes_max =
      2048;  // MAIL and RCPT: extensions make them longer (RFC 3461, 4954)
  std::size_t auth_line_bytes_max = 12288;       // RFC 4954 s4
  std::size_t content_line_bytes_max = 1000;     // s4.5.3.1.6, CRLF included; 0: any
  std::uint64_t content_bytes_max = 36'700'160;  // s4.5.3.1.7, as SIZE counts (RFC 1870); 0: any
  std::uint64_t content_drained_bytes_max =
      36'700'160;                     // read and dropped behind a refusal, then closed
  std::size_t recipients_max = 1000;  // s4.5.3.1.8: at least 100
  std::size_t messages_max = 0;       // transactions a session; 0: any
  std::size_t errors_max = 20;        // 4xx and 5xx replies of ours since the last accepted message
  std::size_t unknown_commands_max = 10;  // a session
  std::size_t idle_commands_max =
      100;  // that lead nowhere (NOOP RSET VRFY HELP EHLO...) since the last message
  std::size_t auth_failures_max = 3;  // a session
  std::size_t output_bytes_max =
      16 * 1024;  // replies waiting; above it the session wants them written first
};

struct ServerConfig {
  ServerKind kind = ServerKind::kRelay;
  std::string hostname = "localhost";  // in the greeting and replies
  bool starttls = false;               // offered while in the clear (RFC 3207)
  bool tls_required = false;           // no MAIL before TLS
  bool auth_in_clear = false;          // submission: AUTH also without TLS
  bool smtputf8 = true;
  bool chunking = true;
  ServerLimits limits;
};

// What the session wants. Before acting, drop `consumed` octets from the front of the input.
struct ServerAction {
  enum class Kind : std::uint8_t {
    kRead,     // write output() if there is any, then read more octets behind those that are left
    kWrite,    // write output(), then call next() again with the same input
    kMail,     // MAIL: decide on envelope().sender and .parameters, then answer() or accept()
    kRcpt,     // RCPT: decide on recipient(), then answer() or accept()
    kData,     // content is about to come (DATA, or the first BDAT): accept(), or answer() with a
               // refusal
    kContent,  // `content`: the next part of the content, the last octets of the `consumed` ones
    kMessage,  // the content is complete: keep the message, then answer(). Nothing is parsed before
               // that.
    kAbort,    // what was received of the transaction is to be dropped: RSET, a refusal, EHLO, ...
    kAuth,     // decide on credentials(), then answer(): 235 is a success
    kStartTls,  // write output(), do the handshake on the bare connection, then tls_started()
    kClose,     // write output(), then close: at QUIT, or after the session was refused
  };
  Kind kind = Kind::kRead;
  std::size_t consumed = 0;
  std::string_view content;
};

// The server's half of one SMTP connection, without the connection.
//
// Input      octets as they were received, in any split; the caller's decisions
// Output     ServerActions; replies, collected in output() so that those of pipelined commands go
//            out together
// Errors     what the peer does wrong is answered by the session itself: RFC 5321 codes, enhanced
//            codes of RFC 3463. A bare CR, a bare LF or a NUL, anywhere, and octets pipelined
//            behind STARTTLS or behind a refused DATA end the session: the rest is never parsed
//            as commands.
// Limits     ServerLimits. Memory: the envelope, and output() of at most output_bytes_max and one
//            reply. The caller keeps at least input_bytes_min() octets of room for a line that is
//            not complete.
// Lifecycle  next() until kClose. The first next() greets. close() from outside ends it (drain,
//            timeout).
// Borrows    `config`, which outlives it.
// Threads    one at a time; no I/O, no clock
// Source     RFC 5321; 1870 SIZE, 2034 ENHANCEDSTATUSCODES, 2920 PIPELINING, 3030 CHUNKING (without
//            BINARYMIME), 3207 STARTTLS, 3461 DSN, 4954 AUTH (4616 PLAIN, LOGIN), 6152 8BITMIME,
//            6409, 6531 SMTPUTF8
//
// In a coroutine:
//     ServerSession session(config, /*tls=*/false);
//     for (;;) {
//       const ServerAction action = session.next(input.view());
//       if (action.kind == Kind::kContent) body.append(action.content);  // or a slice of the input
//       input.consume(action.consumed);
//       switch (action.kind) {
//         case Kind::kMail:
//         case Kind::kRcpt:
//         case Kind::kData: session.accept(); break;
//         case Kind::kMessage:
//           session.answer(co_await store(session.envelope(), std::move(body)));
//           break;
//         case Kind::kAbort: body.clear(); break;
//         case Kind::kAuth:
//           session.answer(co_await authenticate(session.credentials()));
//           break;
//         case Kind::kWrite: co_await stream.write(session.take_output()); break;
//         case Kind::kRead:
//           co_await stream.write(session.take_output());
//           co_await input.fill(stream);
//           break;
//         case Kind::kStartTls:
//           co_await stream.write(session.take_output());
//           co_await stream.start_tls_server(tls);
//           session.tls_started();
//           break;
//         case Kind::kClose: co_await stream.write(session.take_output()); co_return;
//         case Kind::kContent: break;
//       }
//     }
class ServerSession {
 public:
  // `tls`: the connection is already encrypted (implicit TLS, RFC 8314).
  ServerSession(const ServerConfig& config, bool tls);
  ~ServerSession();
  ServerSession(ServerSession&&) noexcept;
  ServerSession& operator=(ServerSession&&) noexcept;

  // `input`: everything received and not yet consumed. A decision that was asked for must be
  // answered first.
  [[nodiscard]] ServerAction next(std::string_view input);

  // Answers kMail, kRcpt, kData, kMessage or kAuth. 2xx accepts (kData: 3xx), else the command has
  // failed. A reply with code 421 also ends the session.
  void answer(const Reply& reply);
  // The usual positive reply of the stage. Not for kMessage and kAuth.
  void accept();

  // The rest of the content that is coming is read and dropped, and answered with `reply` when it
  // ends (at once closed when that is further than content_drained_bytes_max). Between kData and
  // kMessage. kAbort follows.
  void refuse_content(Reply reply);
  // Ends the session: `reply` goes out (421 of a drain or a timeout), then kClose. Also before the
  // first next().
  void close(const Reply& reply);
  // After the handshake of kStartTls. Forgets HELO, envelope and everything else (RFC 3207 s4.2).
  void tls_started();

  // Replies to be written. take_output() empties it; what is in `into` is gone, and its memory used
  // for the replies to come.
  [[nodiscard]] bool has_output() const;
  void take_output(std::string& into);
  [[nodiscard]] std::string take_output();

  // The transaction: complete at kMessage, and valid until answered.
  [[nodiscard]] const Envelope& envelope() const;
  // At kMessage, once: gives it away. envelope() is one of nobody from then on.
  [[nodiscard]] Envelope take_envelope();
  // At kRcpt: the one asked about; it joins the envelope when accepted.
  [[nodiscard]] const EnvelopeRecipient& recipient() const;
  // At kAuth: cleared by answer().
  [[nodiscard]] const Credentials& credentials() const;

  struct ContentFacts {
    std::uint64_t size = 0;            // octets given as kContent
    std::uint64_t size_unstuffed = 0;  // as SIZE counts them
    bool has_8bit = false;
    bool dot_stuffed = true;  // false: it came by BDAT
  };
  [[nodiscard]] ContentFacts content_facts() const;
  // Octets the peer announced for this message (SIZE=, BDAT n), a hint for the first buffer; 0:
  // none.
  [[nodiscard]] std::uint64_t content_size_hint() const;

  // No transaction open, no decision wanted: with no input left it is what a drain may close at
  // once.
  [[nodiscard]] bool idle() const;
  // Between kData and kMessage: the timeout of content holds (RFC 5321 s4.5.3.2.5).
  [[nodiscard]] bool receiving_content() const;

  [[nodiscard]] const std::string& helo() const;      // as the peer gave it; empty before
  [[nodiscard]] const std::string& username() const;  // authenticated as; empty: not
  // For Received: and the record's origin (RFC 3848, RFC 6531 s4.3): SMTP ESMTP ESMTPS ESMTPA
  // ESMTPSA UTF8SMTP...
  [[nodiscard]] std::string_view protocol() const;
  [[nodiscard]] std::size_t errors() const;  // for logs
  // The caller's buffer holds at least this much.
  [[nodiscard]] static std::size_t input_bytes_min(const ServerLimits& limits);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::smtp
