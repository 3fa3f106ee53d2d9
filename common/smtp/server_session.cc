#include "common/smtp/server_session.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/smtp/domain.h"
#include "common/text/idna.h"

namespace godwit::smtp {
namespace {

using Kind = ServerAction::Kind;

constexpr std::size_t kSkippedLineBytesMax =
    64 * 1024;  // of a command line too long, before we hang up

enum class Phase : std::uint8_t {
  kGreeting,
  kCommand,
  kSkipLine,
  kAuth,
  kData,
  kBdat,
  kTls,
  kClosing
};
enum class Wanted : std::uint8_t { kNothing, kMail, kRcpt, kData, kMessage, kAuth };

// RFC 5321 s4.1.1.1 wants a domain or an address literal. Laxer: hosts give any name they have, and
// a bad one is no reason to refuse mail (s4.1.4); it must be fit for a Received: line.
bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > kDomainBytesMax) return false;
  if (check_domain(text, true) || check_address_literal(text)) return true;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_[]:").find(c) != std::string_view::npos;
  });
}

// What stands in a line that may not: nullopt when it is clean. A CR at the end of `text` may be
// half of CRLF.
std::optional<std::string_view> violation_in(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "NUL";
  const auto cr = text.find('\r');
  if (cr != std::string_view::npos && cr + 1 != text.size()) return "bare CR";
  return std::nullopt;
}

std::string_view name_of(DataScanner::Found found) {
  switch (found) {
    case DataScanner::Found::kBareCr: return "bare CR";
    case DataScanner::Found::kBareLf: return "bare LF";
    default: return "NUL";
  }
}

}  // namespace

struct ServerSession::State {
  State(const ServerConfig& given, bool encrypted)
      : config(&given), limits(&given.limits), tls(encrypted) {}

  const ServerConfig* config;
  const ServerLimits* limits;
  std::string output;
  Phase phase = Phase::kGreeting;
  Wanted wanted = Wanted::kNothing;
  bool tls;
  bool esmtp = false;
  bool transaction_open = false;  // MAIL was accepted
  bool by_bdat = false;           // its content comes in chunks
  bool chunk_last = false;
  bool abort_due = false;           // kAbort is to be given out
  bool nothing_may_follow = false;  // behind a refused DATA (RFC 2920 s3.1)
  std::string helo;
  std::string username;

  Envelope envelope;
  EnvelopeRecipient recipient;
  AuthExchange exchange;
  Credentials credentials;

  DataScanner scanner;
  std::optional<Reply> content_refusal;  // what comes is dropped, and answered with this
  std::uint64_t chunk_left = 0;
  std::uint64_t chunk_size = 0;
  std::uint64_t drained_bytes = 0;
  std::size_t skipped_bytes = 0;

  std::size_t messages = 0;
  std::size_t errors = 0;  // since the last message
  std::size_t errors_total = 0;
  std::size_t unknown_commands = 0;
  std::size_t idle_commands = 0;
  std::size_t auth_failures = 0;

  // --- replies
  // ---------------------------------------------------------------------------------------

  void say(int code, EnhancedCode enhanced, std::string_view text) {
    say(Reply{code, enhanced, std::string(text)});
  }
  void say(const Reply& reply) {
    append_reply(output, reply, envelope.parameters.smtputf8);
    if (reply.code == 421) phase = Phase::kClosing;  // RFC 5321 s3.8: the channel closes behind it
  }
  void refuse(int code, EnhancedCode enhanced, std::string_view text) {
    refuse(Reply{code, enhanced, std::string(text)});
  }
  void refuse(const Reply& reply) {
    say(reply);
    ++errors_total;
    if (++errors > limits->errors_max) end_with(421, {4, 7, 0}, "Too many errors");
  }
  // The session is over; nothing of what follows is looked at.
  void end_with(int code, EnhancedCode enhanced, std::string_view text) {
    if (phase == Phase::kClosing) return;
    say(code, enhanced, config->hostname + " " + std::string(text));
    phase = Phase::kClosing;
  }
  void refuse_octets(std::string_view what, int code) {
    ++errors_total;
    end_with(code, {5, 5, 2}, std::string(what) + " received, closing (RFC 5321 section 2.3.8)");
  }

  // --- the transaction
  // -------------------------------------------------------------------------------

  void forget_transaction() {
    envelope = {};
    recipient = {};

    transaction_open = false;
    by_bdat = false;
    content_refusal.reset();
    drained_bytes = 0;
  }
  void abort_transaction() {
    if (transaction_open) abort_due = true;
    forget_transaction();
  }
  void refuse_content(Reply reply) {
    if (content_refusal) return;
    content_refusal = std::move(reply);
    abort_due = true;
  }

  // --- input
  // -----------------------------------------------------------------------------------------

  // One step over `rest`; what it takes is added to `consumed`. nullopt: go on.
  std::optional<ServerAction> step(std::string_view rest, std::size_t& consumed) {
    if (abort_due) {
      abort_due = false;
      return ServerAction{Kind::kAbort, 0, {}};
    }
    if (nothing_may_follow) {
      nothing_may_follow = false;
      if (!rest.empty()) end_with(554, {5, 5, 0}, "Octets received behind a refused DATA, closing");
    }
    switch (phase) {
      case Phase::kGreeting:
        append_reply(output, Reply{220, std::nullopt, config->hostname + " ESMTP Godwit"});
        phase = Phase::kCommand;
        return std::nullopt;
      case Phase::kClosing: consumed += rest.size(); return ServerAction{Kind::kClose, 0, {}};
      case Phase::kData: return step_data(rest, consumed);
      case Phase::kBdat: return step_bdat(rest, consumed);
      case Phase::kSkipLine: return step_skip(rest, consumed);
      case Phase::kCommand:
      case Phase::kAuth: return step_line(rest, consumed);
      case Phase::kTls: break;
    }
    CHECK(false, "next() between kStartTls and tls_started()");
    std::unreachable();
  }

  std::size_t line_bytes_max(std::string_view rest) const {
    const auto verb = rest.substr(0, 4);
    if (phase == Phase::kAuth || text::equals_ignoring_case(verb, "AUTH"))
      return limits->auth_line_bytes_max;
    if (text::equals_ignoring_case(verb, "MAIL") || text::equals_ignoring_case(verb, "RCPT"))
      return limits->path_line_bytes_max;
    return limits->command_line_bytes_max;
  }

  std::optional<ServerAction> step_line(std::string_view rest, std::size_t& consumed) {
    if (output.size() > limits->output_bytes_max) return ServerAction{Kind::kWrite, 0, {}};
    if (rest.empty()) return ServerAction{Kind::kRead, 0, {}};
    const std::size_t bytes_max = line_bytes_max(rest);
    const auto newline = rest.substr(0, bytes_max).find('\n');
    const auto line = rest.substr(0, newline == std::string_view::npos ? bytes_max : newline);
    if (const auto what = violation_in(line)) {
      refuse_octets(*what, 500);
      return std::nullopt;
    }
    if (newline == std::string_view::npos) {
      if (rest.size() < bytes_max) return ServerAction{Kind::kRead, 0, {}};
      skipped_bytes = 0;
      phase = Phase::kSkipLine;
      return std::nullopt;
    }
    if (!line.ends_with('\r')) {
      refuse_octets("bare LF", 500);
      return std::nullopt;
    }
    consumed += line.size() + 1;
    const auto text = line.substr(0, line.size() - 1);
    return phase == Phase::kAuth ? auth_line(text)
                                 : command_line(text, rest.substr(line.size() + 1));
  }

  // The rest of a line that was too long, up to its CRLF.
  std::optional<ServerAction> step_skip(std::string_view rest, std::size_t& consumed) {
    const auto newline = rest.find('\n');
    auto line = rest.substr(0, newline);
    if (const auto what = violation_in(line)) {
      refuse_octets(*what, 500);
      return std::nullopt;
    }
    if (newline != std::string_view::npos) {
      if (!line.ends_with('\r')) {
        refuse_octets("bare LF", 500);
        return std::nullopt;
      }
      consumed += line.size() + 1;
      phase = Phase::kCommand;
      refuse(500, {5, 5, 2}, "Line too long");
      return std::nullopt;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    consumed += line.size();
    skipped_bytes += line.size();
    if (skipped_bytes > kSkippedLineBytesMax) {
      ++errors_total;
      end_with(500, {5, 5, 2}, "Line too long, closing");
      return std::nullopt;
    }
    return ServerAction{Kind::kRead, 0, {}};
  }

  // --- content
  // ---------------------------------------------------------------------------------------

  // Takes `length` octets of content from the front of `rest`.
  std::optional<ServerAction> take_content(std::string_view rest, std::size_t length,
                                           std::size_t& consumed) {
    if (!content_refusal && limits->content_bytes_max != 0 &&
        scanner.size_unstuffed() > limits->content_bytes_max) {
      refuse_content(Reply::of(552, {5, 3, 4}, "Message too big"));
    }
    if (!content_refusal && scanner.line_too_long()) {
      refuse_content(Reply::of(554, {5, 6, 0}, "Text line too long (RFC 5321 section 4.5.3.1.6)"));
    }
    consumed += length;
    if (!content_refusal) return ServerAction{Kind::kContent, 0, rest.substr(0, length)};
    drained_bytes += length;
    if (drained_bytes > limits->content_drained_bytes_max) {
      ++errors_total;
      say(*content_refusal);
      phase = Phase::kClosing;
    }
    return std::nullopt;
  }

  // The content is complete: the caller's turn, unless it was refused.
  std::optional<ServerAction> end_content() {
    phase = Phase::kCommand;
    if (content_refusal) {
      const Reply reply = *std::exchange(content_refusal, std::nullopt);
      refuse(reply);
      abort_due = false;  // was given out when the refusal was made
      forget_transaction();
      return std::nullopt;
    }
    wanted = Wanted::kMessage;
    return ServerAction{Kind::kMessage, 0, {}};
  }

  std::optional<ServerAction> step_data(std::string_view rest, std::size_t& consumed) {
    const auto scan = scanner.scan(rest);
    switch (scan.found) {
      case DataScanner::Found::kMore:
      case DataScanner::Found::kEnd: break;
      default: refuse_octets(name_of(scan.found), 554); return std::nullopt;
    }
    if (scan.content_bytes > 0) return take_content(rest, scan.content_bytes, consumed);
    if (scan.found == DataScanner::Found::kMore) return ServerAction{Kind::kRead, 0, {}};
    consumed += DataScanner::kEndBytes;
    return end_content();
  }

  std::optional<ServerAction> step_bdat(std::string_view rest, std::size_t& consumed) {
    if (chunk_left > 0) {
      if (rest.empty()) return ServerAction{Kind::kRead, 0, {}};
      const auto part = rest.substr(
          0, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left, rest.size())));
      chunk_left -= part.size();
      if (!content_refusal) {
        const auto scan = scanner.scan_counted(part);
        if (scan.found != DataScanner::Found::kMore) {
          refuse_octets(name_of(scan.found), 554);
          return std::nullopt;
        }
      }
      return take_content(rest, part.size(), consumed);
    }
    if (content_refusal || chunk_last) {
      if (!content_refusal && scanner.ends_with_cr()) {
        refuse_octets("bare CR", 554);
        return std::nullopt;
      }
      return end_content();
    }
    say(250, {2, 0, 0}, std::to_string(chunk_size) + " octets received");
    phase = Phase::kCommand;
    return std::nullopt;
  }

  // --- commands
  // --------------------------------------------------------------------------------------

  std::optional<ServerAction> command_line(std::string_view line, std::string_view behind) {
    const Command command = parse_command(line);
    switch (command.verb) {
      case Verb::kHelo: hello(command.argument, false); break;
      case Verb::kEhlo: hello(command.argument, true); break;
      case Verb::kMail: return mail_from(command.argument);
      case Verb::kRcpt: return rcpt_to(command.argument);
      case Verb::kData: return data(command.argument);
      case Verb::kBdat: return bdat(command.argument);
      case Verb::kAuth: return auth(command.argument);
      case Verb::kStartTls: return start_tls(command.argument, behind);
      case Verb::kRset:
        if (!command.argument.empty()) {
          refuse(501, {5, 5, 4}, "Syntax: RSET");
          break;
        }
        abort_transaction();
        say(250, {2, 0, 0}, "Ok");
        leads_nowhere();
        break;
      case Verb::kNoop:
        say(250, {2, 0, 0}, "Ok");
        leads_nowhere();
        break;
      case Verb::kVrfy:
        if (command.argument.empty()) {
          refuse(501, {5, 5, 4}, "Syntax: VRFY address");
          break;
        }
        say(252, {2, 1, 5}, "Cannot verify the user, but will try to deliver");  // RFC 5321 s3.5.3
        leads_nowhere();
        break;
      case Verb::kHelp:
        say(214, {2, 0, 0}, "See RFC 5321");
        leads_nowhere();
        break;
      case Verb::kQuit:
        if (!command.argument.empty()) {
          refuse(501, {5, 5, 4}, "Syntax: QUIT");
          break;
        }
        abort_transaction();
        say(221, {2, 0, 0}, config->hostname + " closing connection");
        phase = Phase::kClosing;
        break;
      case Verb::kExpn: refuse(502, {5, 5, 1}, "Command not implemented"); break;
      case Verb::kUnknown:
        if (++unknown_commands > limits->unknown_commands_max) {
          ++errors_total;
          end_with(421, {4, 7, 0}, "Too many unknown commands");
          break;
        }
        refuse(500, {5, 5, 2}, "Command not recognized");
        break;
    }
    return std::nullopt;
  }

  void leads_nowhere() {
    if (++idle_commands > limits->idle_commands_max)
      end_with(421, {4, 7, 0}, "Too many commands without a message");
  }

  bool auth_offered() const {
    return config->kind == ServerKind::kSubmission && (tls || config->auth_in_clear);
  }
  bool starttls_offered() const { return config->starttls && !tls; }

  void hello(std::string_view argument, bool extended) {
    if (!is_host_name(argument)) {
      refuse(501, {5, 5, 4}, extended ? "Syntax: EHLO hostname" : "Syntax: HELO hostname");
      return;
    }
    abort_transaction();  // RFC 5321 s4.1.4: as RSET
    helo = argument;
    esmtp = extended;
    Reply reply{250, std::nullopt, config->hostname};
    if (extended) {
      reply.text += "\nPIPELINING\nSIZE";
      if (limits->content_bytes_max != 0)
        reply.text += " " + std::to_string(limits->content_bytes_max);
      reply.text += "\n8BITMIME\nENHANCEDSTATUSCODES\nDSN";
      if (config->smtputf8) reply.text += "\nSMTPUTF8";
      if (config->chunking) reply.text += "\nCHUNKING";
      if (starttls_offered()) reply.text += "\nSTARTTLS";
      if (auth_offered()) reply.text += "\nAUTH PLAIN LOGIN";
    }
    say(reply);
    leads_nowhere();
  }

  Extensions extensions() const {
    if (!esmtp)
      return {
          .size = false, .eight_bit_mime = false, .smtputf8 = false, .dsn = false, .auth = false};
    // AUTH= is taken wherever AUTH may be known to the client; it is not trusted (RFC 4954 s5).
    return {.smtputf8 = config->smtputf8, .auth = true};
  }

  // Why there is no MAIL now.
  std::optional<Reply> mail_barred() const {
    if (helo.empty()) return Reply::of(503, {5, 5, 1}, "Send EHLO or HELO first");
    if (transaction_open) return Reply::of(503, {5, 5, 1}, "Nested MAIL command");
    if (config->tls_required && !tls)
      return Reply::of(530, {5, 7, 0}, "Must issue a STARTTLS command first");
    if (config->kind == ServerKind::kSubmission && username.empty()) {
      if (!auth_offered() && starttls_offered()) {
        return Reply::of(530, {5, 7, 0}, "Must issue a STARTTLS command first");
      }
      return Reply::of(530, {5, 7, 0}, "Authentication required");  // RFC 4954 s6
    }
    if (limits->messages_max != 0 && messages >= limits->messages_max) {
      return Reply::of(421, {4, 7, 0}, "Too many messages in this session");
    }
    return std::nullopt;
  }

  std::optional<ServerAction> mail_from(std::string_view argument) {
    if (const auto barred = mail_barred()) {
      refuse(*barred);
      return std::nullopt;
    }
    auto parsed = parse_mail(argument, limits->paths, extensions());
    if (!parsed) {
      refuse(parsed.error());
      return std::nullopt;
    }
    const auto size = parsed->parameters.size.value_or(0);
    if (limits->content_bytes_max != 0 && size > limits->content_bytes_max) {
      refuse(552, {5, 3, 4}, "Message size exceeds the limit");  // RFC 1870 s6.1
      return std::nullopt;
    }
    envelope = {.sender = std::move(parsed->sender),
                .parameters = std::move(parsed->parameters),
                .recipients = {}};
    wanted = Wanted::kMail;
    return ServerAction{Kind::kMail, 0, {}};
  }

  std::optional<ServerAction> rcpt_to(std::string_view argument) {
    if (!transaction_open || by_bdat) {
      refuse(503, {5, 5, 1}, by_bdat ? "RCPT behind BDAT" : "Need MAIL command");
      return std::nullopt;
    }
    AddressRules rules = limits->paths;
    rules.utf8 = envelope.parameters.smtputf8;
    auto parsed = parse_rcpt(argument, rules, extensions());
    if (!parsed) {
      refuse(parsed.error());
      return std::nullopt;
    }
    if (envelope.recipients.size() >= limits->recipients_max) {
      say(452, {4, 5, 3},
          "Too many recipients");  // RFC 5321 s4.5.3.1.10; not counted as an error of the client
      return std::nullopt;
    }
    recipient = {.address = std::move(parsed->recipient),
                 .parameters = std::move(parsed->parameters)};
    wanted = Wanted::kRcpt;
    return ServerAction{Kind::kRcpt, 0, {}};
  }

  // Why there is no content now.
  std::optional<Reply> content_barred() const {
    if (!transaction_open) return Reply::of(503, {5, 5, 1}, "Need MAIL command");
    if (envelope.recipients.empty()) return Reply::of(554, {5, 5, 1}, "No valid recipients");
    return std::nullopt;
  }

  void begin_content(bool chunked) {
    scanner = DataScanner(limits->content_line_bytes_max);
    drained_bytes = 0;
    by_bdat = chunked;
  }

  std::optional<ServerAction> data(std::string_view argument) {
    std::optional<Reply> barred = content_barred();
    if (!argument.empty()) barred = Reply::of(501, {5, 5, 4}, "Syntax: DATA");
    if (!barred && by_bdat) barred = Reply::of(503, {5, 5, 1}, "DATA behind BDAT");
    if (barred) {
      refuse(*barred);
      nothing_may_follow = true;
      return std::nullopt;
    }
    begin_content(false);
    wanted = Wanted::kData;
    return ServerAction{Kind::kData, 0, {}};
  }

  std::optional<ServerAction> bdat(std::string_view argument) {
    if (!config->chunking) {
      ++errors_total;
      end_with(502, {5, 5, 1},
               "BDAT not implemented, closing");  // a chunk follows; we cannot tell of what length
      return std::nullopt;
    }
    const auto parsed = parse_bdat(argument);
    if (!parsed) {
      ++errors_total;
      say(parsed.error());
      phase = Phase::kClosing;  // where the chunk ends cannot be known
      return std::nullopt;
    }
    chunk_size = chunk_left = parsed->size;
    chunk_last = parsed->last;
    phase = Phase::kBdat;
    if (auto barred = content_barred()) {
      refuse_chunk(*std::move(barred));
      return std::nullopt;
    }
    const bool first = !by_bdat;
    if (first) begin_content(true);
    const std::uint64_t so_far = scanner.size();
    if (limits->content_bytes_max != 0 &&
        parsed->size > limits->content_bytes_max - std::min(so_far, limits->content_bytes_max)) {
      refuse_chunk(Reply::of(552, {5, 3, 4}, "Message too big"));
      return std::nullopt;
    }
    if (!first) return std::nullopt;
    wanted = Wanted::kData;
    return ServerAction{Kind::kData, 0, {}};
  }

  // RFC 3030 s2: the octets of a refused chunk are read all the same.
  void refuse_chunk(Reply reply) {
    if (chunk_left > limits->content_drained_bytes_max) {
      ++errors_total;
      say(reply);
      phase = Phase::kClosing;
      return;
    }
    const bool open = transaction_open;
    refuse_content(std::move(reply));
    abort_due = open;
    drained_bytes = 0;
  }

  std::optional<ServerAction> start_tls(std::string_view argument, std::string_view behind) {
    if (tls) {
      refuse(503, {5, 5, 1}, "TLS is already active");
    } else if (!config->starttls) {
      refuse(502, {5, 5, 1}, "Command not implemented");
    } else if (!argument.empty()) {
      refuse(501, {5, 5, 4}, "Syntax: STARTTLS");
    } else if (!behind.empty()) {
      // RFC 3207 s4.2 and CVE-2011-0411: what came in the clear is not to be taken as protected.
      ++errors_total;
      end_with(554, {5, 5, 0}, "Octets received behind STARTTLS, closing");
    } else {
      abort_transaction();
      abort_due = false;
      say(220, {2, 0, 0}, "Ready to start TLS");
      phase = Phase::kTls;
      return ServerAction{Kind::kStartTls, 0, {}};
    }
    return std::nullopt;
  }

  std::optional<ServerAction> auth(std::string_view argument) {
    if (config->kind != ServerKind::kSubmission) {
      refuse(502, {5, 5, 1}, "Authentication not enabled");
    } else if (!esmtp) {
      refuse(503, {5, 5, 1}, "Send EHLO first");
    } else if (!username.empty()) {
      refuse(503, {5, 5, 1}, "Already authenticated");
    } else if (transaction_open) {
      refuse(503, {5, 5, 1}, "Not during a mail transaction");  // RFC 4954 s4
    } else if (!auth_offered()) {
      refuse(538, {5, 7, 11}, "Encryption required for authentication");  // RFC 5248
    } else {
      exchange = AuthExchange();
      return auth_step(exchange.begin(argument));
    }
    return std::nullopt;
  }

  std::optional<ServerAction> auth_line(std::string_view line) {
    return auth_step(exchange.line(line));
  }

  std::optional<ServerAction> auth_step(std::expected<AuthExchange::Step, Reply> step) {
    if (!step) {
      phase = Phase::kCommand;
      exchange = AuthExchange();
      refuse(step.error());
      return std::nullopt;
    }
    if (*step == AuthExchange::Step::kChallenge) {
      append_reply(output, Reply{334, std::nullopt, std::string(exchange.challenge())});
      phase = Phase::kAuth;
      return std::nullopt;
    }
    phase = Phase::kCommand;
    credentials = exchange.take_credentials();
    wanted = Wanted::kAuth;
    return ServerAction{Kind::kAuth, 0, {}};
  }

  // --- the caller's decisions
  // ------------------------------------------------------------------------

  void answered_data(const Reply& reply) {
    const bool accepted = reply.positive() || reply.intermediate();
    if (accepted && by_bdat) return;
    if (accepted) {
      phase = Phase::kData;
      say(reply);
    } else if (by_bdat && reply.code != 421) {
      refuse_chunk(reply);
    } else {
      refuse(reply);
      nothing_may_follow = true;
      abort_transaction();
    }
  }

  void answered_message(const Reply& reply) {
    forget_transaction();
    phase = Phase::kCommand;
    if (!reply.positive()) {
      refuse(reply);
      return;
    }
    say(reply);
    ++messages;
    errors = 0;
    idle_commands = 0;
  }

  void answered_auth(const Reply& reply) {
    if (reply.positive()) {
      username = credentials.username;
      say(reply);
    } else {
      refuse(reply);
      if (++auth_failures >= limits->auth_failures_max)
        end_with(421, {4, 7, 0}, "Too many authentication failures");
    }
    wipe(credentials);
  }

  void answer(const Reply& reply) {
    switch (std::exchange(wanted, Wanted::kNothing)) {
      case Wanted::kMail:
        transaction_open = reply.positive();
        if (!transaction_open) envelope = {};
        break;
      case Wanted::kRcpt:
        if (reply.positive()) envelope.recipients.push_back(std::move(recipient));
        recipient = {};
        break;
      case Wanted::kData: answered_data(reply); return;
      case Wanted::kMessage: answered_message(reply); return;
      case Wanted::kAuth: answered_auth(reply); return;
      case Wanted::kNothing: CHECK(false, "answer() without a question");
    }
    reply.positive() ? say(reply) : refuse(reply);
  }
};

ServerSession::ServerSession(const ServerConfig& config, bool tls)
    : state_(std::make_unique<State>(config, tls)) {}
ServerSession::~ServerSession() = default;
ServerSession::ServerSession(ServerSession&&) noexcept = default;
ServerSession& ServerSession::operator=(ServerSession&&) noexcept = default;

ServerAction ServerSession::next(std::string_view input) {
  CHECK(state_->wanted == Wanted::kNothing, "next() before the answer");
  std::size_t consumed = 0;
  for (;;) {
    if (auto action = state_->step(input.substr(consumed), consumed)) {
      action->consumed = consumed;
      return *action;
    }
  }
}

void ServerSession::answer(const Reply& reply) {
  state_->answer(reply);
}

void ServerSession::accept() {
  switch (state_->wanted) {
    case Wanted::kMail: answer(Reply::of(250, {2, 1, 0}, "Ok")); return;
    case Wanted::kRcpt: answer(Reply::of(250, {2, 1, 5}, "Ok")); return;
    case Wanted::kData: answer(Reply{354, std::nullopt, "End data with <CR><LF>.<CR><LF>"}); return;
    default: CHECK(false, "accept() where there is no usual reply");
  }
}

void ServerSession::refuse_content(Reply reply) {
  CHECK(receiving_content(), "refuse_content() without content");
  state_->refuse_content(std::move(reply));
}

void ServerSession::close(const Reply& reply) {
  if (state_->phase == Phase::kClosing) return;
  state_->wanted = Wanted::kNothing;
  wipe(state_->credentials);
  state_->say(reply);
  state_->phase = Phase::kClosing;
}

void ServerSession::tls_started() {
  State& state = *state_;
  CHECK(state.phase == Phase::kTls, "tls_started() without kStartTls");
  state.tls = true;
  state.esmtp = false;
  state.helo.clear();
  state.username.clear();
  state.forget_transaction();
  state.phase = Phase::kCommand;
}

bool ServerSession::has_output() const {
  return !state_->output.empty();
}
std::string ServerSession::take_output() {
  return std::exchange(state_->output, {});
}

const Envelope& ServerSession::envelope() const {
  return state_->envelope;
}
const EnvelopeRecipient& ServerSession::recipient() const {
  return state_->recipient;
}
const Credentials& ServerSession::credentials() const {
  return state_->credentials;
}

ServerSession::ContentFacts ServerSession::content_facts() const {
  const DataScanner& scanner = state_->scanner;
  return {.size = scanner.size(),
          .size_unstuffed = scanner.size_unstuffed(),
          .has_8bit = scanner.has_8bit(),
          .dot_stuffed = !state_->by_bdat};
}

std::uint64_t ServerSession::content_size_hint() const {
  const auto announced = state_->envelope.parameters.size.value_or(0);
  return state_->by_bdat ? std::max(announced, state_->chunk_size) : announced;
}

bool ServerSession::idle() const {
  return (state_->phase == Phase::kCommand || state_->phase == Phase::kGreeting) &&
         !state_->transaction_open && state_->wanted == Wanted::kNothing;
}

bool ServerSession::receiving_content() const {
  return state_->wanted == Wanted::kNothing &&
         (state_->phase == Phase::kData || state_->phase == Phase::kBdat);
}

const std::string& ServerSession::helo() const {
  return state_->helo;
}
const std::string& ServerSession::username() const {
  return state_->username;
}
std::size_t ServerSession::errors() const {
  return state_->errors_total;
}

std::string_view ServerSession::protocol() const {
  // RFC 3848; RFC 6531 s4.3 for UTF8SMTP.
  static constexpr std::string_view kNames[2][4] = {
      {"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
      {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"}};
  if (!state_->esmtp) return "SMTP";
  const int index = (state_->tls ? 2 : 0) + (state_->username.empty() ? 0 : 1);
  return kNames[state_->envelope.parameters.smtputf8 ? 1 : 0][index];
}

std::size_t ServerSession::input_bytes_min(const ServerLimits& limits) {
  return std::max({limits.command_line_bytes_max, limits.path_line_bytes_max,
                   limits.auth_line_bytes_max, std::size_t{16}});
}

}  // namespace godwit::smtp
