#include "common/smtp/client_session.h"

#include <utility>

#include "common/base/check.h"
#include "common/smtp/client_commands.h"
#include "common/smtp/client_state.h"

namespace godwit::smtp {

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

ClientSession::State::State(ClientConfig given) : config(std::move(given)), tls(config.tls_active) {
  running.reserve(2);
  expected.push_back({ClientStage::kBanner, 0, 0, 0});
}

ClientSession::State::~State() {
  if (config.credentials) wipe(*config.credentials);
}

// --- input

void ClientSession::State::on_reply(const Reply& reply, bool input_left) {
  if (expected.empty() || expected.front().position > taken) {
    // Nobody asked: a host that hangs up says 421, everything else has lost its place.
    fail(stage(), reply.code == 421
                      ? reply
                      : reply_of_ours({4, 5, 0}, "reply without a command: " + reply.to_text()));
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

ClientStage ClientSession::State::stage() const {
  if (phase == Phase::kHandshake) return ClientStage::kStartTls;
  if (!expected.empty()) return expected.front().stage;
  return quit_asked ? ClientStage::kQuit : ClientStage::kMail;
}

// Reads the replies in `input`; returns the octets they took.
std::size_t ClientSession::State::read_replies(std::string_view input) {
  std::size_t consumed = 0;
  while (phase != Phase::kClosed && phase != Phase::kHandshake && consumed < input.size()) {
    const auto parsed = parse_reply(input.substr(consumed), config.replies);
    if (!parsed) {
      fail(stage(),
           reply_of_ours({4, 5, 0}, "malformed reply to " + std::string(stage_name(stage())) +
                                        ": " + parsed.error().to_string()));
      break;
    }
    if (!*parsed) break;
    consumed += (*parsed)->length;
    on_reply((*parsed)->reply, consumed < input.size());
  }
  return phase == Phase::kClosed ? input.size() : consumed;
}

ClientAction ClientSession::State::next(std::string_view input) {
  ClientAction action;
  action.consumed = read_replies(input);
  if (!outcomes.empty()) {
    action.kind = ClientAction::Kind::kOutcome;
  } else if (phase == Phase::kClosed) {
    action.kind = ClientAction::Kind::kClosed;
  } else if (phase == Phase::kHandshake) {
    action.kind = ClientAction::Kind::kStartTls;
  } else if (!text.empty() || !output.empty()) {
    action.kind = ClientAction::Kind::kWrite;
  } else {
    action.kind = expected.empty() ? ClientAction::Kind::kIdle : ClientAction::Kind::kRead;
  }
  return action;
}

// --- output

void ClientSession::State::send(std::string_view line) {
  text += line;
  text += "\r\n";
  queued += line.size() + 2;
}

void ClientSession::State::send_command(std::string_view line, ClientStage stage,
                                        std::uint64_t serial, std::size_t recipient) {
  send(line);
  expected.push_back({stage, serial, recipient, queued});
}

void ClientSession::State::flush_text() {
  if (text.empty()) return;
  output.append(Bytes::adopt(std::exchange(text, {})));
}

Rope ClientSession::State::take_output() {
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

// --- the end

void ClientSession::State::send_quit() {
  if (phase != Phase::kReady || !running.empty()) return;
  phase = Phase::kQuit;
  send_command("QUIT", ClientStage::kQuit);
}

void ClientSession::State::fail(ClientStage stage, const Reply& reply) {
  if (phase == Phase::kClosed) return;
  const bool quitting = phase == Phase::kQuit;
  phase = Phase::kClosed;
  if (!quitting) failure = SessionFailure{stage, reply};
  expected.clear();
  output = {};
  text.clear();
  for (RunningTransaction& run : running) {
    const bool dot_sent = run.dot_queued && !run.discarded && taken >= run.dot_end;
    if (dot_sent) {
      run.decide_rest(Outcome::kUnknown, ClientStage::kDot, reply);
    } else {
      run.decide_rest(Outcome::kDeferred, run.outcome.attempted ? stage : ClientStage::kMail,
                      reply);
    }
    outcomes.push_back(std::move(run.outcome));
  }
  running.clear();
}

void ClientSession::State::fail_greeting(ClientStage stage, const Reply& reply) {
  const bool refusal = reply.transient() || reply.permanent();
  fail(stage, refusal ? reply : unexpected(stage, reply));
}

Reply ClientSession::State::unexpected(ClientStage stage, const Reply& reply) {
  return reply_of_ours(
      {4, 5, 0}, "unexpected reply to " + std::string(stage_name(stage)) + ": " + reply.to_text());
}

// --- ClientSession

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
  state_->fail(state_->stage(), reply_of_ours({4, 4, 2}, "connection lost: " + std::string(why)));
}

void ClientSession::tls_started() {
  CHECK(state_->phase == State::Phase::kHandshake, "tls_started() without kStartTls");
  state_->tls = true;
  state_->send_ehlo();  // RFC 3207 s4.2: what was said before counts no more
}

void ClientSession::tls_failed(std::string_view why) {
  state_->fail(ClientStage::kStartTls,
               reply_of_ours({4, 7, 5}, "TLS handshake failed: " + std::string(why)));
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
