#include "common/smtp/client_session.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <utility>

#include "common/base/check.h"
#include "common/smtp/domain.h"
#include "common/smtp/dot_stuffing.h"
#include "common/smtp/xtext.h"
#include "common/text/base64.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::smtp {
namespace {

using Kind = ClientAction::Kind;
using Outcome = RecipientOutcome::Kind;

Reply ours(EnhancedCode enhanced, std::string text) {
  return {0, enhanced, std::move(text)};
}

Outcome outcome_of(const Reply& reply) {
  return reply.permanent() ? Outcome::kRefused : Outcome::kDeferred;
}

// Addresses come from records; whatever wrote those, nothing but one address may get into a command
// line.
bool is_sendable(const std::string& address) {
  const AddressRules any{.utf8 = true,
                         .bare_postmaster = true,
                         .local_part_bytes_max = 1024,
                         .domain_bytes_max = kDomainBytesMax,
                         .path_bytes_max = 2048};
  return Address::parse(address, any).has_value();
}

void read_feature(PeerFeatures& peer, std::string_view line) {
  const auto split = line.find_first_of(" =");  // "AUTH=LOGIN" is an old misspelling
  const auto keyword = line.substr(0, split);
  const auto argument =
      split == std::string_view::npos ? std::string_view{} : line.substr(split + 1);
  const auto is = [keyword](std::string_view name) {
    return text::equals_ignoring_case(keyword, name);
  };
  if (is("PIPELINING")) peer.pipelining = true;
  if (is("8BITMIME")) peer.eight_bit_mime = true;
  if (is("SMTPUTF8")) peer.smtputf8 = true;
  if (is("DSN")) peer.dsn = true;
  if (is("ENHANCEDSTATUSCODES")) peer.enhanced_status_codes = true;
  if (is("CHUNKING")) peer.chunking = true;
  if (is("STARTTLS")) peer.starttls = true;
  if (is("SIZE")) {
    peer.size = true;
    std::from_chars(argument.data(), argument.data() + argument.size(), peer.size_max);
  }
  if (is("AUTH")) {
    for (std::string_view rest = argument; !rest.empty();) {
      const auto word = rest.substr(0, rest.find(' '));
      if (text::equals_ignoring_case(word, "PLAIN")) peer.auth_plain = true;
      if (text::equals_ignoring_case(word, "LOGIN")) peer.auth_login = true;
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    }
  }
}

PeerFeatures read_features(const Reply& reply) {
  PeerFeatures peer;
  peer.esmtp = true;
  std::string_view rest = reply.text;
  const auto first = rest.substr(0, rest.find('\n'));
  peer.name = first.substr(0, first.find(' '));
  while (rest.find('\n') != std::string_view::npos) {
    rest.remove_prefix(rest.find('\n') + 1);
    read_feature(peer, rest.substr(0, rest.find('\n')));
  }
  return peer;
}

// An ORCPT value for the wire; empty when it cannot be said.
std::string encode_orcpt(const std::string& orcpt, bool utf8) {
  const auto semicolon = orcpt.find(';');
  if (semicolon == std::string::npos) return {};
  const auto type = std::string_view(orcpt).substr(0, semicolon);
  const auto address = std::string_view(orcpt).substr(semicolon + 1);
  if (!std::ranges::all_of(type, [](char c) {
        return c == '-' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z');
      }))
    return {};
  if (!text::equals_ignoring_case(type, "utf-8"))
    return std::string(type) + ";" + encode_xtext(address);
  if (!text::is_utf8(address)) return {};
  return std::string(type) + ";" + encode_utf8_address(address, !utf8);
}

std::string encode_notify(std::uint8_t notify) {
  if ((notify & kNotifyNever) != 0) return "NEVER";
  std::string out;
  const auto add = [&](std::uint8_t bit, std::string_view name) {
    if ((notify & bit) == 0) return;
    if (!out.empty()) out += ',';
    out += name;
  };
  add(kNotifySuccess, "SUCCESS");
  add(kNotifyFailure, "FAILURE");
  add(kNotifyDelay, "DELAY");
  return out;
}

// What a transaction needs of the peer and the peer has not; nothing: it can be offered.
std::optional<Reply> obstacle(const ClientTransaction& transaction, const PeerFeatures& peer,
                              const ClientConfig& config) {
  if (!transaction.sender.empty() && !is_sendable(transaction.sender)) {
    return ours({5, 1, 7}, "sender is not an address that can be sent");
  }
  if (transaction.smtputf8 && !peer.smtputf8)
    return ours({5, 6, 7}, "host does not offer SMTPUTF8");
  if (transaction.eight_bit && !peer.eight_bit_mime && !config.ignore_8bitmime_missing) {
    return ours({5, 6, 3}, "host does not offer 8BITMIME");
  }
  if (peer.size_max != 0 && transaction.size > peer.size_max) {
    return ours({5, 3, 4}, "message of " + std::to_string(transaction.size) +
                               " octets is above the host's limit of " +
                               std::to_string(peer.size_max));
  }
  return std::nullopt;
}

}  // namespace

std::string_view stage_name(ClientStage stage) {
  switch (stage) {
    case ClientStage::kBanner: return "banner";
    case ClientStage::kEhlo: return "EHLO";
    case ClientStage::kStartTls: return "STARTTLS";
    case ClientStage::kAuth: return "AUTH";
    case ClientStage::kMail: return "MAIL";
    case ClientStage::kRcpt: return "RCPT";
    case ClientStage::kData: return "DATA";
    case ClientStage::kDot: return "dot";
    case ClientStage::kReset: return "RSET";
    case ClientStage::kQuit: return "QUIT";
  }
  return "";
}

struct ClientSession::State {
  enum class Phase : std::uint8_t {
    kBanner,
    kEhlo,
    kHelo,
    kStartTls,
    kHandshake,
    kAuth,
    kReady,
    kQuit,
    kClosed
  };

  // A transaction under way.
  struct Running {
    std::uint64_t serial = 0;
    ClientTransaction transaction;
    TransactionOutcome outcome;
    std::vector<bool> decided;  // by recipient
    std::size_t accepted = 0;   // recipients with 2xx to RCPT
    std::size_t rcpt_sent = 0;
    bool mail_accepted = false;
    bool dot_queued = false;
    bool discarded = false;     // no recipient is left: a lone dot answers a 354 (RFC 2920 s3.1)
    std::uint64_t dot_end = 0;  // the output's position behind the final dot
  };
  // A reply that is waited for.
  struct Expected {
    ClientStage stage = ClientStage::kBanner;
    std::uint64_t serial = 0;  // of the transaction
    std::size_t recipient = 0;
    std::uint64_t position = 0;  // the output's position behind the command
  };

  explicit State(ClientConfig given) : config(std::move(given)), tls(config.tls_active) {
    expected.push_back({ClientStage::kBanner, 0, 0, 0});
  }
  ~State() {
    if (config.credentials) wipe(*config.credentials);
  }

  ClientConfig config;
  Phase phase = Phase::kBanner;
  bool tls;
  bool greeted = false;
  bool quit_asked = false;
  int login_responses = 0;    // of AUTH LOGIN: user name, password
  bool reset_needed = false;  // MAIL was accepted and its transaction did not end by a dot
  PeerFeatures peer;
  std::optional<SessionFailure> failure;

  std::string text;  // commands behind `output`
  Rope output;
  std::uint64_t queued = 0;  // octets ever put into the output
  std::uint64_t taken = 0;   // octets ever given out
  std::deque<Expected> expected;
  std::deque<Running> running;  // at most two
  std::deque<TransactionOutcome> outcomes;
  std::uint64_t serials = 0;

  // --- output
  // ----------------------------------------------------------------------------------------

  void send(std::string_view line) {
    text += line;
    text += "\r\n";
    queued += line.size() + 2;
  }
  void send_command(std::string_view line, ClientStage stage, std::uint64_t serial = 0,
                    std::size_t recipient = 0) {
    send(line);
    expected.push_back({stage, serial, recipient, queued});
  }
  void flush_text() {
    if (text.empty()) return;
    output.append(Bytes::adopt(std::exchange(text, {})));
  }
  bool pipelining() const { return config.pipelining && peer.pipelining; }

  // --- greeting
  // --------------------------------------------------------------------------------------

  void send_ehlo() {
    phase = Phase::kEhlo;
    peer = {};
    send_command("EHLO " + config.helo, ClientStage::kEhlo);
  }

  void on_banner(const Reply& reply) {
    if (reply.code == 220) {
      send_ehlo();
    } else {
      fail(ClientStage::kBanner, reply.positive() || reply.intermediate()
                                     ? unexpected(ClientStage::kBanner, reply)
                                     : reply);
    }
  }

  void on_hello(const Reply& reply) {
    if (reply.code == 250) {
      if (phase == Phase::kEhlo) peer = read_features(reply);
      after_hello();
    } else if (phase == Phase::kEhlo && reply.permanent()) {
      phase = Phase::kHelo;  // RFC 5321 s3.2: a host without EHLO
      send_command("HELO " + config.helo, ClientStage::kEhlo);
    } else {
      fail(ClientStage::kEhlo, reply.positive() || reply.intermediate()
                                   ? unexpected(ClientStage::kEhlo, reply)
                                   : reply);
    }
  }

  void after_hello() {
    if (!tls && config.tls != ClientTls::kNever) {
      if (peer.starttls) {
        phase = Phase::kStartTls;
        send_command("STARTTLS", ClientStage::kStartTls);
        return;
      }
      if (config.tls == ClientTls::kRequired) {
        fail(ClientStage::kStartTls,
             ours({4, 7, 10}, "TLS is required and the host does not offer STARTTLS"));
        return;
      }
    }
    authenticate();
  }

  void on_starttls(const Reply& reply, bool input_left) {
    if (reply.code == 220) {
      // RFC 3207 s4.2: octets behind the reply were sent in the clear, by whomever.
      if (input_left) {
        fail(ClientStage::kStartTls,
             ours({4, 7, 0}, "octets received behind the reply to STARTTLS"));
      } else {
        phase = Phase::kHandshake;
      }
    } else if (reply.positive() || reply.intermediate()) {
      fail(ClientStage::kStartTls, unexpected(ClientStage::kStartTls, reply));
    } else if (config.tls == ClientTls::kRequired) {
      fail(ClientStage::kStartTls, reply);
    } else {
      authenticate();
    }
  }

  void authenticate() {
    if (!config.credentials) {
      ready();
      return;
    }
    phase = Phase::kAuth;
    if (!tls && !config.auth_in_clear) {
      fail(ClientStage::kAuth, ours({4, 7, 11}, "credentials are not sent without TLS"));
    } else if (peer.auth_plain) {
      send_command("AUTH PLAIN " + plain_response(*config.credentials), ClientStage::kAuth);
    } else if (peer.auth_login) {
      login_responses = 0;
      send_command("AUTH LOGIN", ClientStage::kAuth);
    } else {
      fail(ClientStage::kAuth, ours({4, 7, 4}, "host offers neither AUTH PLAIN nor AUTH LOGIN"));
    }
  }

  void on_auth(const Reply& reply) {
    if (reply.code == 235) {
      ready();
    } else if (reply.code == 334 && !peer.auth_plain && login_responses < 2) {
      const auto& credentials = *config.credentials;
      const auto& response = login_responses++ == 0 ? credentials.username : credentials.password;
      send_command(text::base64_encode(response), ClientStage::kAuth);
    } else {
      fail(ClientStage::kAuth, reply.positive() || reply.intermediate()
                                   ? unexpected(ClientStage::kAuth, reply)
                                   : reply);
    }
  }

  void ready() {
    phase = Phase::kReady;
    greeted = true;
    if (quit_asked) send_quit();
  }

  void send_quit() {
    if (phase != Phase::kReady || !running.empty()) return;
    phase = Phase::kQuit;
    send_command("QUIT", ClientStage::kQuit);
  }

  // --- transactions
  // ----------------------------------------------------------------------------------

  bool can_begin() const {
    if (phase != Phase::kReady || quit_asked) return false;
    if (running.empty()) return expected.empty();
    const Running& front = running.front();
    return running.size() == 1 && front.dot_queued && !front.discarded && pipelining();
  }

  void begin(ClientTransaction transaction) {
    CHECK(can_begin(), "begin() without can_begin()");
    CHECK(!transaction.recipients.empty(), "a transaction without recipients");
    Running run;
    run.serial = ++serials;
    run.outcome.tag = transaction.tag;
    run.outcome.recipients.resize(transaction.recipients.size());
    run.decided.resize(transaction.recipients.size());
    run.transaction = std::move(transaction);
    if (const auto reply = obstacle(run.transaction, peer, config)) {
      decide_rest(run, Outcome::kRefused, ClientStage::kMail, *reply);
      run.outcome.attempted = true;
      outcomes.push_back(std::move(run.outcome));
      return;
    }
    for (std::size_t i = 0; i < run.decided.size(); ++i) {
      if (!is_sendable(run.transaction.recipients[i].address)) {
        decide(run, i, Outcome::kRefused, ClientStage::kRcpt,
               ours({5, 1, 3}, "recipient is not an address that can be sent"));
      }
    }
    if (std::ranges::all_of(run.decided, std::identity{})) {
      run.outcome.attempted = true;
      outcomes.push_back(std::move(run.outcome));
      return;
    }
    running.push_back(std::move(run));
    if (std::exchange(reset_needed, false)) send_command("RSET", ClientStage::kReset);
    send_mail(running.back());
    if (!pipelining()) return;
    while (send_rcpt(running.back())) {
    }
    send_data(running.back());
  }

  void send_mail(const Running& run) {
    const ClientTransaction& transaction = run.transaction;
    std::string line = "MAIL FROM:<" + transaction.sender + ">";
    if (peer.size && transaction.size != 0) line += " SIZE=" + std::to_string(transaction.size);
    if (peer.eight_bit_mime && transaction.eight_bit) line += " BODY=8BITMIME";
    if (peer.smtputf8 && transaction.smtputf8) line += " SMTPUTF8";
    if (peer.dsn && transaction.ret == Ret::kFull) line += " RET=FULL";
    if (peer.dsn && transaction.ret == Ret::kHeaders) line += " RET=HDRS";
    if (peer.dsn && !transaction.envid.empty()) line += " ENVID=" + encode_xtext(transaction.envid);
    send_command(line, ClientStage::kMail, run.serial);
  }

  // The next RCPT; false when all were sent.
  bool send_rcpt(Running& run) {
    while (run.rcpt_sent < run.decided.size() && run.decided[run.rcpt_sent]) ++run.rcpt_sent;
    if (run.rcpt_sent == run.decided.size()) return false;
    const ClientRecipient& recipient = run.transaction.recipients[run.rcpt_sent];
    std::string line = "RCPT TO:<" + recipient.address + ">";
    if (peer.dsn && recipient.notify != 0) line += " NOTIFY=" + encode_notify(recipient.notify);
    if (peer.dsn && !recipient.orcpt.empty()) {
      const auto orcpt = encode_orcpt(recipient.orcpt, run.transaction.smtputf8 && peer.smtputf8);
      if (!orcpt.empty()) line += " ORCPT=" + orcpt;
    }
    send_command(line, ClientStage::kRcpt, run.serial, run.rcpt_sent);
    ++run.rcpt_sent;
    return true;
  }

  void send_data(const Running& run) { send_command("DATA", ClientStage::kData, run.serial); }

  void send_content(Running& run) {
    Rope content = std::exchange(run.transaction.content, {});
    if (!run.transaction.dot_stuffed) {
      content = dot_stuffed(content);
    } else if (!content.empty() && !ends_with_crlf(content)) {
      content.append(Bytes::of_static("\r\n"));
    }
    flush_text();
    queued += content.size();
    output.append(content);
    send_dot(run);
  }

  void send_dot(Running& run) {
    send_command(".", ClientStage::kDot, run.serial);
    run.dot_queued = true;
    run.dot_end = queued;
  }

  // --- outcomes
  // --------------------------------------------------------------------------------------

  static void decide(Running& run, std::size_t recipient, Outcome kind, ClientStage stage,
                     const Reply& reply) {
    if (run.decided[recipient]) return;
    run.decided[recipient] = true;
    run.outcome.recipients[recipient] = {kind, stage, reply};
  }
  static void decide_rest(Running& run, Outcome kind, ClientStage stage, const Reply& reply) {
    for (std::size_t i = 0; i < run.decided.size(); ++i) decide(run, i, kind, stage, reply);
  }

  void finish_front() {
    CHECK(!running.empty(), "no transaction to finish");
    Running& front = running.front();
    if (front.mail_accepted && !front.dot_queued) reset_needed = true;
    outcomes.push_back(std::move(front.outcome));
    running.pop_front();
    if (quit_asked) send_quit();
  }

  static Reply unexpected(ClientStage stage, const Reply& reply) {
    return ours({4, 5, 0},
                "unexpected reply to " + std::string(stage_name(stage)) + ": " + reply.to_text());
  }

  // The session ends here. What was under way gets its outcome: unknown once the final dot went
  // out.
  void fail(ClientStage stage, const Reply& reply) {
    if (phase == Phase::kClosed) return;
    const bool quitting = phase == Phase::kQuit;
    phase = Phase::kClosed;
    if (!quitting) failure = SessionFailure{stage, reply};
    expected.clear();
    output = {};
    text.clear();
    for (Running& run : running) {
      const bool dot_sent = run.dot_queued && !run.discarded && taken >= run.dot_end;
      if (dot_sent) {
        decide_rest(run, Outcome::kUnknown, ClientStage::kDot, reply);
      } else {
        decide_rest(run, Outcome::kDeferred, run.outcome.attempted ? stage : ClientStage::kMail,
                    reply);
      }
      outcomes.push_back(std::move(run.outcome));
    }
    running.clear();
  }

  // --- replies
  // ---------------------------------------------------------------------------------------

  void on_mail(Running& run, const Reply& reply) {
    run.outcome.attempted = true;
    run.mail_accepted = reply.positive();
    if (!run.mail_accepted) decide_rest(run, outcome_of(reply), ClientStage::kMail, reply);
    if (pipelining()) return;
    if (!run.mail_accepted) {
      finish_front();
    } else {
      send_rcpt(run);
    }
  }

  void on_rcpt(Running& run, std::size_t recipient, const Reply& reply) {
    if (reply.positive() && run.mail_accepted) {
      ++run.accepted;
    } else {
      decide(run, recipient, outcome_of(reply), ClientStage::kRcpt, reply);
    }
    if (pipelining() || send_rcpt(run)) return;
    if (run.accepted > 0) {
      send_data(run);
    } else {
      finish_front();
    }
  }

  void on_data(Running& run, const Reply& reply) {
    if (reply.code == 354) {
      run.discarded = run.accepted == 0;
      if (run.discarded) {
        send_dot(run);
      } else {
        send_content(run);
      }
      return;
    }
    decide_rest(run, outcome_of(reply), ClientStage::kData, reply);
    finish_front();
  }

  void on_dot(Running& run, const Reply& reply) {
    if (!run.discarded) {
      decide_rest(run, reply.positive() ? Outcome::kDelivered : outcome_of(reply),
                  ClientStage::kDot, reply);
    }
    finish_front();
  }

  // Codes that fit: MAIL and RCPT 2xx, DATA 354, dot 2xx; 4xx and 5xx everywhere.
  static bool fits(ClientStage stage, const Reply& reply) {
    if (reply.transient() || reply.permanent()) return true;
    return stage == ClientStage::kData ? reply.code == 354 : reply.positive();
  }

  void on_transaction_reply(const Expected& waited, const Reply& reply) {
    const auto found = std::ranges::find(running, waited.serial, &Running::serial);
    CHECK(found != running.end(), "a reply for no transaction");
    Running& run = *found;
    if (!fits(waited.stage, reply)) {
      if (waited.stage == ClientStage::kMail) run.outcome.attempted = true;
      fail(waited.stage, unexpected(waited.stage, reply));
      return;
    }
    if (reply.code == 421) {  // RFC 5321 s3.8: an answer to this command, and the end
      run.outcome.attempted = true;
      decide_rest(run, Outcome::kDeferred, waited.stage, reply);
      fail(waited.stage, reply);
      return;
    }
    switch (waited.stage) {
      case ClientStage::kMail: on_mail(run, reply); return;
      case ClientStage::kRcpt: on_rcpt(run, waited.recipient, reply); return;
      case ClientStage::kData: on_data(run, reply); return;
      default: on_dot(run, reply); return;
    }
  }

  void on_reply(const Reply& reply, bool input_left) {
    if (expected.empty() || expected.front().position > taken) {
      // Nobody asked: a host that hangs up says 421, everything else has lost its place.
      fail(stage(), reply.code == 421
                        ? reply
                        : ours({4, 5, 0}, "reply without a command: " + reply.to_text()));
      return;
    }
    const Expected waited = expected.front();
    expected.pop_front();
    switch (waited.stage) {
      case ClientStage::kMail:
      case ClientStage::kRcpt:
      case ClientStage::kData:
      case ClientStage::kDot: on_transaction_reply(waited, reply); return;
      case ClientStage::kQuit: phase = Phase::kClosed; return;
      default: break;
    }
    if (reply.code == 421) {
      fail(waited.stage, reply);
      return;
    }
    switch (waited.stage) {
      case ClientStage::kBanner: on_banner(reply); return;
      case ClientStage::kEhlo: on_hello(reply); return;
      case ClientStage::kStartTls: on_starttls(reply, input_left); return;
      case ClientStage::kAuth: on_auth(reply); return;
      default: break;
    }
    if (!reply.positive())
      fail(ClientStage::kReset, reply);  // RSET cannot be refused (RFC 5321 s4.1.1.5)
  }

  ClientStage stage() const {
    if (phase == Phase::kHandshake) return ClientStage::kStartTls;
    if (!expected.empty()) return expected.front().stage;
    return quit_asked ? ClientStage::kQuit : ClientStage::kMail;
  }

  // Reads the replies in `input`; returns the octets they took.
  std::size_t read_replies(std::string_view input) {
    std::size_t consumed = 0;
    while (phase != Phase::kClosed && phase != Phase::kHandshake && consumed < input.size()) {
      const auto parsed = parse_reply(input.substr(consumed), config.replies);
      if (!parsed) {
        fail(stage(), ours({4, 5, 0}, "malformed reply to " + std::string(stage_name(stage())) +
                                          ": " + parsed.error().to_string()));
        break;
      }
      if (!*parsed) break;
      consumed += (*parsed)->length;
      on_reply((*parsed)->reply, consumed < input.size());
    }
    return phase == Phase::kClosed ? input.size() : consumed;
  }

  ClientAction next(std::string_view input) {
    ClientAction action;
    action.consumed = read_replies(input);
    if (!outcomes.empty()) {
      action.kind = Kind::kOutcome;
    } else if (phase == Phase::kClosed) {
      action.kind = Kind::kClosed;
    } else if (phase == Phase::kHandshake) {
      action.kind = Kind::kStartTls;
    } else if (!text.empty() || !output.empty()) {
      action.kind = Kind::kWrite;
    } else {
      action.kind = expected.empty() ? Kind::kIdle : Kind::kRead;
    }
    return action;
  }

  Rope take_output() {
    flush_text();
    Rope out;
    if (output.size() <= config.write_bytes_max) {
      out = std::exchange(output, {});
    } else {
      out = output.slice(0, config.write_bytes_max);
      output = output.slice(config.write_bytes_max);
    }
    taken += out.size();
    return out;
  }
};

ClientSession::ClientSession(ClientConfig config)
    : state_(std::make_unique<State>(std::move(config))) {}
ClientSession::~ClientSession() = default;
ClientSession::ClientSession(ClientSession&&) noexcept = default;
ClientSession& ClientSession::operator=(ClientSession&&) noexcept = default;

ClientAction ClientSession::next(std::string_view input) {
  return state_->next(input);
}
bool ClientSession::can_begin() const {
  return state_->can_begin();
}
void ClientSession::begin(ClientTransaction transaction) {
  state_->begin(std::move(transaction));
}

void ClientSession::quit() {
  state_->quit_asked = true;
  state_->send_quit();
}

void ClientSession::disconnected(std::string_view why) {
  state_->fail(state_->stage(), ours({4, 4, 2}, "connection lost: " + std::string(why)));
}

void ClientSession::tls_started() {
  CHECK(state_->phase == State::Phase::kHandshake, "tls_started() without kStartTls");
  state_->tls = true;
  state_->send_ehlo();  // RFC 3207 s4.2: what was said before counts no more
}

void ClientSession::tls_failed(std::string_view why) {
  state_->fail(ClientStage::kStartTls,
               ours({4, 7, 5}, "TLS handshake failed: " + std::string(why)));
}

Rope ClientSession::take_output() {
  return state_->take_output();
}

TransactionOutcome ClientSession::take_outcome() {
  CHECK(!state_->outcomes.empty(), "take_outcome() without kOutcome");
  TransactionOutcome outcome = std::move(state_->outcomes.front());
  state_->outcomes.pop_front();
  return outcome;
}

ClientStage ClientSession::stage() const {
  return state_->stage();
}
bool ClientSession::greeted() const {
  return state_->greeted;
}
const PeerFeatures& ClientSession::peer() const {
  return state_->peer;
}
bool ClientSession::tls() const {
  return state_->tls;
}
const std::optional<SessionFailure>& ClientSession::failure() const {
  return state_->failure;
}

}  // namespace godwit::smtp
