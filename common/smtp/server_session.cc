#include "common/smtp/server_session.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/smtp/server_state.h"
#include "common/text/idna.h"

namespace godwit::smtp {
namespace {

// Of a command line that is too long, before we hang up.
constexpr std::size_t kSkippedLineBytesMax = 64 * 1024;
// For the replies to a pipelined transaction.
constexpr std::size_t kOutputBytesFirst = 160;

// What stands in a line that may not: nullopt when it is clean. A CR at the end of `text` may be
// half of CRLF.
std::optional<std::string_view> violation_in(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "NUL";
  const auto cr = text.find('\r');
  if (cr != std::string_view::npos && cr + 1 != text.size()) return "bare CR";
  return std::nullopt;
}

}  // namespace

// --- replies

void ServerSession::State::say(int code, EnhancedCode enhanced, std::string_view text) {
  say(ReplyView(code, enhanced, text));
}

void ServerSession::State::say(const ReplyView& reply) {
  if (output.capacity() < kOutputBytesFirst) output.reserve(kOutputBytesFirst);
  append_reply(output, reply, utf8());
  if (reply.code == 421) phase = Phase::kClosing;  // RFC 5321 s3.8: the channel closes behind it
}

void ServerSession::State::refuse(int code, EnhancedCode enhanced, std::string_view text) {
  refuse(ReplyView(code, enhanced, text));
}

void ServerSession::State::refuse(const ReplyView& reply) {
  say(reply);
  ++errors_total;
  if (++errors > limits->errors_max) end_with(421, {4, 7, 0}, "Too many errors");
}

// The session is over; nothing of what follows is looked at.
void ServerSession::State::end_with(int code, EnhancedCode enhanced, std::string_view text) {
  if (phase == Phase::kClosing) return;
  say(code, enhanced, config->hostname + " " + std::string(text));
  phase = Phase::kClosing;
}

void ServerSession::State::refuse_octets(std::string_view what, int code) {
  ++errors_total;
  end_with(code, {5, 5, 2}, std::string(what) + " received, closing (RFC 5321 section 2.3.8)");
}

// --- the transaction

ServerTransaction& ServerSession::State::transaction() {
  if (!current) current = std::make_unique<ServerTransaction>();
  return *current;
}

bool ServerSession::State::utf8() const {
  return current != nullptr && current->envelope.parameters.smtputf8;
}

void ServerSession::State::abort_transaction() {
  if (transaction_open()) abort_due = true;
  forget_transaction();
}

// --- input

ServerSession::State::MaybeAction ServerSession::State::step(std::string_view rest,
                                                             std::size_t& consumed) {
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

std::size_t ServerSession::State::line_bytes_max(std::string_view rest) const {
  const auto verb = rest.substr(0, 4);
  if (phase == Phase::kAuth || text::equals_ignoring_case(verb, "AUTH"))
    return limits->auth_line_bytes_max;
  if (text::equals_ignoring_case(verb, "MAIL") || text::equals_ignoring_case(verb, "RCPT"))
    return limits->path_line_bytes_max;
  return limits->command_line_bytes_max;
}

ServerSession::State::MaybeAction ServerSession::State::step_line(std::string_view rest,
                                                                  std::size_t& consumed) {
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
  return phase == Phase::kAuth ? auth_line(text) : command_line(text, rest.substr(line.size() + 1));
}

// The rest of a line that was too long, up to its CRLF.
ServerSession::State::MaybeAction ServerSession::State::step_skip(std::string_view rest,
                                                                  std::size_t& consumed) {
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

// --- the caller's decisions

void ServerSession::State::answer(const ReplyView& reply) {
  switch (std::exchange(wanted, Wanted::kNothing)) {
    case Wanted::kMail:
      current->open = reply.positive();
      if (!current->open) forget_transaction();
      break;
    case Wanted::kRcpt:
      if (reply.positive()) current->envelope.recipients.push_back(std::move(current->recipient));
      current->recipient = {};
      break;
    case Wanted::kData: answered_data(reply); return;
    case Wanted::kMessage: answered_message(reply); return;
    case Wanted::kAuth: answered_auth(reply); return;
    case Wanted::kNothing: CHECK(false, "answer() without a question");
  }
  reply.positive() ? say(reply) : refuse(reply);
}

// --- ServerSession

ServerSession::ServerSession(const ServerConfig& config, bool tls)
    : state_(std::make_unique<State>(config, tls)) {}
ServerSession::~ServerSession() = default;
ServerSession::ServerSession(ServerSession&&) noexcept = default;
ServerSession& ServerSession::operator=(ServerSession&&) noexcept = default;

ServerAction ServerSession::next(std::string_view input) {
  CHECK(state_->wanted == State::Wanted::kNothing, "next() before the answer");
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
    case State::Wanted::kMail: state_->answer(ReplyView(250, EnhancedCode{2, 1, 0}, "Ok")); return;
    case State::Wanted::kRcpt: state_->answer(ReplyView(250, EnhancedCode{2, 1, 5}, "Ok")); return;
    case State::Wanted::kData:
      state_->answer(ReplyView(354, std::nullopt, "End data with <CR><LF>.<CR><LF>"));
      return;
    default: CHECK(false, "accept() where there is no usual reply");
  }
}

void ServerSession::refuse_content(Reply reply) {
  CHECK(receiving_content(), "refuse_content() without content");
  state_->refuse_content(std::move(reply));
}

void ServerSession::close(const Reply& reply) {
  if (state_->phase == State::Phase::kClosing) return;
  state_->wanted = State::Wanted::kNothing;
  state_->login.reset();
  state_->say(reply);
  state_->phase = State::Phase::kClosing;
}

void ServerSession::tls_started() {
  State& state = *state_;
  CHECK(state.phase == State::Phase::kTls, "tls_started() without kStartTls");
  state.tls = true;
  state.esmtp = false;
  state.helo.clear();
  state.username.clear();
  state.forget_transaction();
  state.phase = State::Phase::kCommand;
}

bool ServerSession::has_output() const {
  return !state_->output.empty();
}
void ServerSession::take_output(std::string& into) {
  into.clear();
  std::swap(state_->output, into);
}
std::string ServerSession::take_output() {
  return std::exchange(state_->output, {});
}

const Envelope& ServerSession::envelope() const {
  static const Envelope kNone;
  return state_->current ? state_->current->envelope : kNone;
}
Envelope ServerSession::take_envelope() {
  CHECK(state_->wanted == State::Wanted::kMessage, "an envelope that is not complete");
  // What was asked for in MAIL stays: protocol() and the replies go by it.
  return {.sender = std::move(state_->current->envelope.sender),
          .parameters = state_->current->envelope.parameters,
          .recipients = std::move(state_->current->envelope.recipients)};
}
const EnvelopeRecipient& ServerSession::recipient() const {
  static const EnvelopeRecipient kNone;
  return state_->current ? state_->current->recipient : kNone;
}
const Credentials& ServerSession::credentials() const {
  static const Credentials kNone;
  return state_->login ? state_->login->credentials : kNone;
}

ServerSession::ContentFacts ServerSession::content_facts() const {
  if (!state_->current) return {};
  const DataScanner& scanner = state_->current->content.scanner;
  return {.size = scanner.size(),
          .size_unstuffed = scanner.size_unstuffed(),
          .has_8bit = scanner.has_8bit(),
          .dot_stuffed = !state_->by_bdat()};
}

std::uint64_t ServerSession::content_size_hint() const {
  if (!state_->current) return 0;
  const auto announced = state_->current->envelope.parameters.size.value_or(0);
  return state_->by_bdat() ? std::max(announced, state_->current->content.chunk_size) : announced;
}

bool ServerSession::idle() const {
  return (state_->phase == State::Phase::kCommand || state_->phase == State::Phase::kGreeting) &&
         !state_->transaction_open() && state_->wanted == State::Wanted::kNothing;
}

bool ServerSession::receiving_content() const {
  return state_->wanted == State::Wanted::kNothing &&
         (state_->phase == State::Phase::kData || state_->phase == State::Phase::kBdat);
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
  return kNames[state_->utf8() ? 1 : 0][index];
}

std::size_t ServerSession::input_bytes_min(const ServerLimits& limits) {
  return std::max({limits.command_line_bytes_max, limits.path_line_bytes_max,
                   limits.auth_line_bytes_max, std::size_t{16}});
}

}  // namespace godwit::smtp
