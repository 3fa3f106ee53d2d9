// The commands but DATA and BDAT: what each means where it comes, and its replies.

#include <algorithm>

#include "common/smtp/domain.h"
#include "common/smtp/server_state.h"

namespace godwit::smtp {
namespace {

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

}  // namespace

ServerSession::State::MaybeAction ServerSession::State::command_line(std::string_view line,
                                                                     std::string_view behind) {
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
    case Verb::kRset: reset(command.argument); break;
    case Verb::kNoop:
      say(250, {2, 0, 0}, "Ok");
      leads_nowhere();
      break;
    case Verb::kVrfy: verify(command.argument); break;
    case Verb::kHelp:
      say(214, {2, 0, 0}, "See RFC 5321");
      leads_nowhere();
      break;
    case Verb::kQuit: quit(command.argument); break;
    case Verb::kExpn: refuse(502, {5, 5, 1}, "Command not implemented"); break;
    case Verb::kUnknown: unknown_command(); break;
  }
  return std::nullopt;
}

void ServerSession::State::unknown_command() {
  if (++unknown_commands > limits->unknown_commands_max) {
    ++errors_total;
    end_with(421, {4, 7, 0}, "Too many unknown commands");
    return;
  }
  refuse(500, {5, 5, 2}, "Command not recognized");
}

void ServerSession::State::leads_nowhere() {
  if (++idle_commands > limits->idle_commands_max)
    end_with(421, {4, 7, 0}, "Too many commands without a message");
}

void ServerSession::State::reset(std::string_view argument) {
  if (!argument.empty()) {
    refuse(501, {5, 5, 4}, "Syntax: RSET");
    return;
  }
  abort_transaction();
  say(250, {2, 0, 0}, "Ok");
  leads_nowhere();
}

void ServerSession::State::verify(std::string_view argument) {
  if (argument.empty()) {
    refuse(501, {5, 5, 4}, "Syntax: VRFY address");
    return;
  }
  say(252, {2, 1, 5}, "Cannot verify the user, but will try to deliver");  // RFC 5321 s3.5.3
  leads_nowhere();
}

void ServerSession::State::quit(std::string_view argument) {
  if (!argument.empty()) {
    refuse(501, {5, 5, 4}, "Syntax: QUIT");
    return;
  }
  abort_transaction();
  say(221, {2, 0, 0}, config->hostname + " closing connection");
  phase = Phase::kClosing;
}

// --- HELO and EHLO

bool ServerSession::State::auth_offered() const {
  return config->kind == ServerKind::kSubmission && (tls || config->auth_in_clear);
}

void ServerSession::State::hello(std::string_view argument, bool extended) {
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

Extensions ServerSession::State::extensions() const {
  if (!esmtp)
    return {.size = false, .eight_bit_mime = false, .smtputf8 = false, .dsn = false, .auth = false};
  // AUTH= is taken wherever AUTH may be known to the client; it is not trusted (RFC 4954 s5).
  return {.smtputf8 = config->smtputf8, .auth = true};
}

// --- MAIL and RCPT

// Why there is no MAIL now.
std::optional<Reply> ServerSession::State::mail_barred() const {
  if (helo.empty()) return Reply::of(503, {5, 5, 1}, "Send EHLO or HELO first");
  if (transaction_open()) return Reply::of(503, {5, 5, 1}, "Nested MAIL command");
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

ServerSession::State::MaybeAction ServerSession::State::mail_from(std::string_view argument) {
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
  transaction().envelope = {.sender = std::move(parsed->sender),
                            .parameters = std::move(parsed->parameters),
                            .recipients = {}};
  wanted = Wanted::kMail;
  return ServerAction{Kind::kMail, 0, {}};
}

ServerSession::State::MaybeAction ServerSession::State::rcpt_to(std::string_view argument) {
  if (!transaction_open() || by_bdat()) {
    refuse(503, {5, 5, 1}, by_bdat() ? "RCPT behind BDAT" : "Need MAIL command");
    return std::nullopt;
  }
  AddressRules rules = limits->paths;
  rules.utf8 = utf8();
  auto parsed = parse_rcpt(argument, rules, extensions());
  if (!parsed) {
    refuse(parsed.error());
    return std::nullopt;
  }
  if (current->envelope.recipients.size() >= limits->recipients_max) {
    // RFC 5321 s4.5.3.1.10; not counted as an error of the client.
    say(452, {4, 5, 3}, "Too many recipients");
    return std::nullopt;
  }
  current->recipient = {.address = std::move(parsed->recipient),
                        .parameters = std::move(parsed->parameters)};
  wanted = Wanted::kRcpt;
  return ServerAction{Kind::kRcpt, 0, {}};
}

// --- STARTTLS and AUTH

ServerSession::State::MaybeAction ServerSession::State::start_tls(std::string_view argument,
                                                                  std::string_view behind) {
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

ServerSession::State::MaybeAction ServerSession::State::auth(std::string_view argument) {
  if (config->kind != ServerKind::kSubmission) {
    refuse(502, {5, 5, 1}, "Authentication not enabled");
  } else if (!esmtp) {
    refuse(503, {5, 5, 1}, "Send EHLO first");
  } else if (!username.empty()) {
    refuse(503, {5, 5, 1}, "Already authenticated");
  } else if (transaction_open()) {
    refuse(503, {5, 5, 1}, "Not during a mail transaction");  // RFC 4954 s4
  } else if (!auth_offered()) {
    refuse(538, {5, 7, 11}, "Encryption required for authentication");  // RFC 5248
  } else {
    login = std::make_unique<ServerLogin>();
    return auth_step(login->exchange.begin(argument));
  }
  return std::nullopt;
}

ServerSession::State::MaybeAction ServerSession::State::auth_line(std::string_view line) {
  return auth_step(login->exchange.line(line));
}

ServerSession::State::MaybeAction ServerSession::State::auth_step(
    const std::expected<AuthExchange::Step, Reply>& step) {
  if (!step) {
    phase = Phase::kCommand;
    login.reset();
    refuse(step.error());
    return std::nullopt;
  }
  if (*step == AuthExchange::Step::kChallenge) {
    append_reply(output, Reply{334, std::nullopt, std::string(login->exchange.challenge())});
    phase = Phase::kAuth;
    return std::nullopt;
  }
  phase = Phase::kCommand;
  login->credentials = login->exchange.take_credentials();
  wanted = Wanted::kAuth;
  return ServerAction{Kind::kAuth, 0, {}};
}

void ServerSession::State::answered_auth(const ReplyView& reply) {
  if (reply.positive()) {
    username = login->credentials.username;
    say(reply);
  } else {
    refuse(reply);
    if (++auth_failures >= limits->auth_failures_max)
      end_with(421, {4, 7, 0}, "Too many authentication failures");
  }
  login.reset();
}

}  // namespace godwit::smtp
