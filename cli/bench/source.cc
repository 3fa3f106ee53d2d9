#include "cli/bench/source.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "cli/bench/text.h"
#include "common/async/shard.h"
#include "common/async/sleep.h"
#include "common/async/stop_signal.h"
#include "common/base/random.h"
#include "common/net/stream.h"
#include "common/text/base64.h"

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;
using async::Shard;
using async::Task;

constexpr Duration kReconnectPause = 100ms;
constexpr Duration kStopGrace = 5s;
constexpr Duration kConnectTimeout = 5s;

std::chrono::microseconds to_microseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// A reply as it stands in the connection's buffer: valid until the next is read.
struct Reply {
  int code = 0;
  std::string_view text;  // with its code, lines separated by CRLF, without the last CRLF
  [[nodiscard]] bool positive() const { return code / 100 == 2; }
};

// One connection and what was read from it.
struct Link {
  net::Stream stream;
  std::array<char, 8192> buffer;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool pipelining = false;
};

// One message, from its number.
struct Message {
  std::uint64_t number = 0;
  std::vector<std::size_t> refused;  // recipients, by index
  std::size_t recipients_accepted = 0;
  Instant begun{};
};

// What a reply to a whole message, or its end, came to.
enum class Fate : std::uint8_t { kAccepted, kRefused, kUnknown, kCut };

struct alignas(64) ShardState {
  SourceReport report;
  async::StopSignal stop;  // no new messages
  async::StopSignal hard;  // nothing at all
  async::Sleeper grace;
  Instant last_reply{};
  Instant last_success{};
};

std::string_view take_line(std::string_view text) {
  return text.substr(0, text.find("\r\n"));
}

std::string joined(std::string_view reply) {
  std::string line(reply);
  for (std::size_t at = line.find("\r\n"); at != std::string::npos; at = line.find("\r\n", at)) {
    line.replace(at, 2, " ");
  }
  return line;
}

bool offers(std::string_view ehlo, std::string_view keyword) {
  while (!ehlo.empty()) {
    const std::string_view line = take_line(ehlo);
    ehlo.remove_prefix(std::min(ehlo.size(), line.size() + 2));
    if (line.size() < 4) continue;
    const std::string_view word = line.substr(4, line.find(' ', 4) - 4);
    if (std::ranges::equal(word, keyword, [](char a, char b) { return std::toupper(a) == b; }))
      return true;
  }
  return false;
}

std::string body_of(std::uint64_t bytes) {
  static constexpr std::string_view kLine =
      "The godwit flies from Alaska to New Zealand without a single stop on the way";
  std::string body;
  body.reserve(bytes + kLine.size() + 2);
  while (body.size() < bytes) body.append(kLine).append("\r\n");
  return body;
}

Error protocol_error(std::string_view stage, std::string_view reply) {
  return {net::Errc::kIo, fmt::format("{}: {}", stage, joined(reply))};
}

}  // namespace

struct Source::Impl {
  explicit Impl(SourceOptions source_options)
      : options(std::move(source_options)),
        run_id(fmt::format("{:08x}", system_random().next() & 0xffffffffU)),
        body(body_of(options.bytes)),
        shards(options.threads),
        states(shards.size()) {}

  // --- what to send ---
  enum class Claim : std::uint8_t { kTaken, kNotYet, kNone };
  // The next message's number; with a rate only when it is due, else `due` says when.
  Claim claim(Instant now, std::uint64_t& number, Instant& due);
  Task<std::optional<Message>> next_message(async::Sleeper& sleeper);
  [[nodiscard]] std::string id_of(const Message& message) const;
  [[nodiscard]] std::string recipient_of(const Message& message, std::size_t index) const;
  void append_mail(std::string& out) const;
  void append_rcpt(std::string& out, const Message& message, std::size_t index) const;
  void append_envelope(std::string& out, const Message& message) const;
  [[nodiscard]] std::string header_of(const Message& message) const;
  [[nodiscard]] std::string_view body_behind(std::size_t header_bytes) const;

  // --- the dialogue ---
  Task<void> work(Shard& shard);
  Task<Result<void>> greet(Link& link);
  Task<Result<std::string>> hello(Link& link);
  Task<Result<void>> authenticate(Link& link);
  Task<void> send_messages(Link& link, ShardState& state, async::Sleeper& sleeper);
  // The envelope's replies; the stage that refused, empty when the content may go.
  Task<Result<std::string>> envelope(Link& link, ShardState& state, Message& message, bool sent);
  Task<Result<std::string>> envelope_in_steps(Link& link, ShardState& state, Message& message);
  Task<Result<std::string>> envelope_at_once(Link& link, ShardState& state, Message& message,
                                             bool sent);
  Task<Result<Reply>> command(Link& link, std::string_view line);
  Task<Result<Reply>> read_reply(Link& link);
  [[nodiscard]] Instant reply_deadline() const {
    return Shard::current().now() + options.reply_timeout;
  }

  // --- what came of it ---
  void conclude(ShardState& state, const Message& message, Fate fate, std::string_view reply);
  void refuse(ShardState& state, std::string_view stage, std::string_view reply);
  void write_ledger(const Message& message, Fate fate, std::string_view reply);
  Task<void> watch_end(ShardState& state);
  Task<void> flush_ledger(ShardState& state, async::Sleeper& sleeper);
  Task<void> enforce_stop(ShardState& state);

  SourceOptions options;
  const std::string run_id;
  const std::string body;
  std::unique_ptr<Ledger> ledger;
  std::shared_ptr<net::TlsClientContext> tls;
  Instant started{};
  std::atomic<std::uint64_t> next_number = 0;
  std::atomic<bool> stopping = false;
  async::Gate workers;
  async::Gate watchers;
  async::Sleeper end_sleeper;    // of shard 0
  async::Sleeper flush_sleeper;  // of shard 0
  async::Shards shards;
  std::vector<ShardState> states;
};

double SourceReport::messages_per_second() const {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  return seconds > 0 ? static_cast<double>(accepted) / seconds : 0;
}

Source::Source(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Source::~Source() = default;

Result<std::unique_ptr<Source>> Source::create(SourceOptions options) {
  if (options.domains.empty() || options.recipients == 0 || options.connections == 0) {
    return fail(std::make_error_code(std::errc::invalid_argument),
                "domains, recipients and connections: at least one");
  }
  auto impl = std::make_unique<Impl>(std::move(options));
  if (!impl->options.ledger_file.empty()) {
    TRY(impl->ledger, Ledger::open(impl->options.ledger_file));
  }
  if (impl->options.tls != TlsMode::kNone) {
    TRY(impl->tls, net::TlsClientContext::create());
  }
  return std::unique_ptr<Source>(new Source(std::move(impl)));
}

Result<SourceReport> Source::run() {
  Impl& impl = *impl_;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  impl.started = system_clock().instant();
  for (ShardState& state : impl.states) state.last_success = impl.started;
  impl.shards.start();
  impl.shards.at(0).spawn(impl.watch_end(impl.states[0]), impl.watchers);
  impl.shards.at(0).spawn(impl.flush_ledger(impl.states[0], impl.flush_sleeper), impl.watchers);
  for (std::size_t i = 0; i < impl.options.connections; ++i) {
    Shard& shard = impl.shards.at(i % impl.shards.size());
    shard.spawn(impl.work(shard), impl.workers);
  }
  impl.workers.close_and_wait();
  for (std::size_t i = 0; i < impl.states.size(); ++i) {
    impl.shards.at(i).post([&impl, i] {
      impl.states[i].grace.wake();
      if (i == 0) {
        impl.end_sleeper.wake();
        impl.flush_sleeper.wake();
      }
    });
  }
  impl.watchers.close_and_wait();
  impl.shards.stop();

  SourceReport report;
  Instant last = impl.started;
  for (const ShardState& state : impl.states) {
    const SourceReport& part = state.report;
    report.accepted += part.accepted;
    report.refused += part.refused;
    report.unknown += part.unknown;
    report.cut += part.cut;
    report.recipients_accepted += part.recipients_accepted;
    report.recipients_refused += part.recipients_refused;
    report.bytes += part.bytes;
    report.connections += part.connections;
    report.connections_failed += part.connections_failed;
    for (const auto& [reason, count] : part.refusals) report.refusals[reason] += count;
    report.gave_up = report.gave_up || part.gave_up;
    report.connect.merge(part.connect);
    report.mail.merge(part.mail);
    report.rcpt.merge(part.rcpt);
    report.data.merge(part.data);
    report.dot.merge(part.dot);
    last = std::max(last, state.last_reply);
  }
  report.elapsed = std::chrono::duration_cast<std::chrono::microseconds>(last - impl.started);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  report.cpu_user = to_microseconds(after.ru_utime) - to_microseconds(before.ru_utime);
  report.cpu_system = to_microseconds(after.ru_stime) - to_microseconds(before.ru_stime);
  if (impl.ledger) {
    impl.ledger->flush();
    TRY_VOID(impl.ledger->status());
  }
  return report;
}

void Source::stop() {
  if (impl_->stopping.exchange(true)) return;
  for (std::size_t i = 0; i < impl_->states.size(); ++i) {
    impl_->shards.at(i).post([this, i] {
      ShardState& state = impl_->states[i];
      state.stop.request();
      impl_->shards.at(i).spawn(impl_->enforce_stop(state), impl_->watchers);
    });
  }
}

// --- when ----------------------------------------------------------------------------------------------------

Task<void> Source::Impl::watch_end(ShardState& /*state*/) {
  if (options.duration == 0ms) co_return;
  if (!co_await end_sleeper.sleep_until(started + options.duration)) co_return;
  stopping = true;
  for (std::size_t i = 0; i < states.size(); ++i) {
    shards.at(i).post([this, i] {
      states[i].stop.request();
      shards.at(i).spawn(enforce_stop(states[i]), watchers);
    });
  }
}

Task<void> Source::Impl::enforce_stop(ShardState& state) {
  if (co_await state.grace.sleep_until(Shard::current().now() + kStopGrace)) state.hard.request();
}

Task<void> Source::Impl::flush_ledger(ShardState& /*state*/, async::Sleeper& sleeper) {
  if (!ledger) co_return;
  while (co_await sleeper.sleep_until(Shard::current().now() + Ledger::kFlushEvery))
    ledger->flush();
}

Source::Impl::Claim Source::Impl::claim(Instant now, std::uint64_t& number, Instant& due) {
  number = next_number.load(std::memory_order_relaxed);
  do {
    if (stopping || (options.messages != 0 && number >= options.messages)) return Claim::kNone;
    if (options.rate != 0) {
      due = started + std::chrono::nanoseconds(static_cast<std::int64_t>(
                          static_cast<double>(number) * 1e9 / static_cast<double>(options.rate)));
      if (due > now) return Claim::kNotYet;
    }
  } while (!next_number.compare_exchange_weak(number, number + 1, std::memory_order_relaxed));
  return Claim::kTaken;
}

Task<std::optional<Message>> Source::Impl::next_message(async::Sleeper& sleeper) {
  Shard& shard = Shard::current();
  while (true) {
    Message message;
    Instant due{};
    switch (claim(shard.now(), message.number, due)) {
      case Claim::kTaken: co_return message;
      case Claim::kNone: co_return std::nullopt;
      case Claim::kNotYet:
        if (!co_await sleeper.sleep_until(due)) co_return std::nullopt;
        break;
    }
  }
}

// --- what ----------------------------------------------------------------------------------------------------

std::string Source::Impl::id_of(const Message& message) const {
  return fmt::format("{}.{}@bench.invalid", run_id, message.number);
}

std::string Source::Impl::recipient_of(const Message& message, std::size_t index) const {
  const std::string& domain = options.domains[(message.number + index) % options.domains.size()];
  return fmt::format("r{}-{}@{}", message.number, index, domain);
}

void Source::Impl::append_mail(std::string& out) const {
  out.append("MAIL FROM:<").append(options.sender).append(">\r\n");
}

void Source::Impl::append_rcpt(std::string& out, const Message& message, std::size_t index) const {
  out.append("RCPT TO:<").append(recipient_of(message, index)).append(">\r\n");
}

void Source::Impl::append_envelope(std::string& out, const Message& message) const {
  append_mail(out);
  for (std::size_t i = 0; i < options.recipients; ++i) append_rcpt(out, message, i);
  out.append("DATA\r\n");
}

std::string Source::Impl::header_of(const Message& message) const {
  return fmt::format(
      "Message-ID: <{}>\r\nFrom: <{}>\r\nTo: <{}>\r\nSubject: Bench {}\r\n"
      "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: "
      "text/plain\r\n\r\n",
      id_of(message), options.sender, recipient_of(message, 0), message.number);
}

std::string_view Source::Impl::body_behind(std::size_t header_bytes) const {
  // The end of the body, so that it ends with a line; never from the middle of a line's end.
  const std::uint64_t wanted = options.bytes > header_bytes ? options.bytes - header_bytes : 0;
  std::size_t from =
      body.size() - static_cast<std::size_t>(std::min<std::uint64_t>(wanted, body.size()));
  if (from > 0 && from < body.size() && body[from] == '\n') --from;
  return std::string_view(body).substr(from);
}

// --- the dialogue --------------------------------------------------------------------------------------------

Task<void> Source::Impl::work(Shard& shard) {
  ShardState& state = states[shard.index()];
  async::Sleeper sleeper;
  const async::StopSignal::Callback on_stop(state.stop, [&sleeper] { sleeper.wake(); });
  const auto all_claimed = [this] {
    return options.messages != 0 && next_number >= options.messages;
  };
  while (!stopping && !all_claimed()) {
    const Instant begun = shard.now();
    std::optional<net::Address> local;
    if (options.from_address) local = net::Address{*options.from_address, 0};
    Result<net::Stream> connected =
        co_await net::connect(shard, options.to, local, begun + kConnectTimeout, &state.hard);
    Result<void> greeted = connected ? Result<void>() : fail(connected.error());
    Link link;
    if (connected) {
      link.stream = *std::move(connected);
      const async::StopSignal::Callback on_hard(state.hard, [&link] { link.stream.close(); });
      greeted = co_await greet(link);
      if (greeted) {
        state.report.connect.add(shard.now() - begun);
        ++state.report.connections;
        state.last_success = shard.now();
        co_await send_messages(link, state, sleeper);
      }
    }
    if (greeted) continue;
    ++state.report.connections_failed;
    ++state.report.refusals[greeted.error().code.message()];
    if (shard.now() - state.last_success > options.patience) {
      state.report.gave_up = true;
      co_return;
    }
    if (!co_await sleeper.sleep_until(shard.now() + kReconnectPause)) co_return;
  }
}

Task<Result<void>> Source::Impl::greet(Link& link) {
  const net::TlsPeer peer{.host = options.helo};
  if (options.tls == TlsMode::kImplicit) {
    CO_TRY_VOID(co_await link.stream.start_tls_client(*tls, peer, reply_deadline()));
  }
  CO_TRY(const Reply banner, co_await read_reply(link));
  if (!banner.positive()) co_return fail(protocol_error("banner", banner.text));
  CO_TRY(std::string extensions, co_await hello(link));
  if (options.tls == TlsMode::kStartTls) {
    if (!offers(extensions, "STARTTLS")) co_return fail(protocol_error("STARTTLS", "not offered"));
    CO_TRY(const Reply go, co_await command(link, "STARTTLS\r\n"));
    if (!go.positive()) co_return fail(protocol_error("STARTTLS", go.text));
    if (link.begin != link.end) co_return fail(net::Errc::kTlsInjected);
    CO_TRY_VOID(co_await link.stream.start_tls_client(*tls, peer, reply_deadline()));
    CO_TRY(extensions, co_await hello(link));
  }
  link.pipelining = options.pipelining != Pipelining::kNone && offers(extensions, "PIPELINING");
  if (!options.username.empty()) CO_TRY_VOID(co_await authenticate(link));
  co_return Result<void>{};
}

Task<Result<std::string>> Source::Impl::hello(Link& link) {
  CO_TRY(Reply reply, co_await command(link, fmt::format("EHLO {}\r\n", options.helo)));
  if (!reply.positive()) {
    CO_TRY(reply, co_await command(link, fmt::format("HELO {}\r\n", options.helo)));
  }
  if (!reply.positive()) co_return fail(protocol_error("EHLO", reply.text));
  co_return std::string(reply.text);
}

Task<Result<void>> Source::Impl::authenticate(Link& link) {
  std::string plain;  // RFC 4616: authorization identity, name, password
  plain.append(1, '\0').append(options.username).append(1, '\0').append(options.password);
  const std::string line = fmt::format("AUTH PLAIN {}\r\n", text::base64_encode(plain));
  CO_TRY(const Reply reply, co_await command(link, line));
  if (!reply.positive()) co_return fail(protocol_error("AUTH", reply.text));
  co_return Result<void>{};
}

Task<void> Source::Impl::send_messages(Link& link, ShardState& state, async::Sleeper& sleeper) {
  Shard& shard = Shard::current();
  const bool ahead = options.pipelining == Pipelining::kAhead && link.pipelining;
  std::optional<Message> next;  // its envelope is on the way already
  for (std::uint64_t sent = 0;
       options.messages_per_connection == 0 || sent < options.messages_per_connection; ++sent) {
    const bool envelope_sent = next.has_value();
    std::optional<Message> message =
        envelope_sent ? std::exchange(next, std::nullopt) : co_await next_message(sleeper);
    if (!message) break;
    const Result<std::string> refused_by = co_await envelope(link, state, *message, envelope_sent);
    if (!refused_by) {
      conclude(state, *message, Fate::kCut, refused_by.error().to_string());
      co_return;
    }
    if (!refused_by->empty()) {
      conclude(state, *message, Fate::kRefused, *refused_by);
      if (refused_by->find(" 421") != std::string::npos) co_return;
      if (const Result<Reply> reset = co_await command(link, "RSET\r\n");
          !reset || !reset->positive())
        co_return;
      continue;
    }

    const std::string header = header_of(*message);
    const std::string_view content = body_behind(header.size());
    std::string tail = ".\r\n";
    const bool last =
        options.messages_per_connection != 0 && sent + 1 >= options.messages_per_connection;
    if (ahead && !last) {
      Message following;
      Instant due{};
      if (claim(shard.now(), following.number, due) == Claim::kTaken) {
        append_envelope(tail, following);
        next = following;
        next->begun = shard.now();
      }
    }
    const std::array<std::string_view, 3> pieces{header, content, tail};
    const Result<void> written = co_await link.stream.write(pieces, reply_deadline());
    const Instant dot = shard.now();
    Result<Reply> reply = written ? co_await read_reply(link) : fail(written.error());
    if (!reply) {
      // What the kernel took may have arrived, the dot too.
      conclude(state, *message, Fate::kUnknown, reply.error().to_string());
      if (next) conclude(state, *next, Fate::kCut, "its connection ended");
      co_return;
    }
    state.report.dot.add(shard.now() - dot);
    if (reply->positive()) {
      state.report.bytes += header.size() + content.size();
      conclude(state, *message, Fate::kAccepted, reply->text);
    } else {
      refuse(state, "dot", reply->text);
      conclude(state, *message, Fate::kRefused, reply->text);
      if (reply->code == 421) {
        if (next) conclude(state, *next, Fate::kCut, "its connection ended");
        co_return;
      }
    }
  }
  (void)co_await command(link, "QUIT\r\n");
}

Task<Result<std::string>> Source::Impl::envelope(Link& link, ShardState& state, Message& message,
                                                 bool sent) {
  return link.pipelining ? envelope_at_once(link, state, message, sent)
                         : envelope_in_steps(link, state, message);
}

Task<Result<std::string>> Source::Impl::envelope_in_steps(Link& link, ShardState& state,
                                                          Message& message) {
  Shard& shard = Shard::current();
  const auto refused = [&](std::string_view stage, const Reply& reply) {
    refuse(state, stage, reply.text);
    return fmt::format("{} {}", stage, joined(reply.text));
  };
  std::string line;
  append_mail(line);
  Instant begun = shard.now();
  CO_TRY(const Reply mail, co_await command(link, line));
  state.report.mail.add(shard.now() - begun);
  if (!mail.positive()) co_return refused("mail", mail);
  std::string last_refusal;
  for (std::size_t i = 0; i < options.recipients; ++i) {
    line.clear();
    append_rcpt(line, message, i);
    begun = shard.now();
    CO_TRY(const Reply rcpt, co_await command(link, line));
    state.report.rcpt.add(shard.now() - begun);
    if (rcpt.positive()) {
      ++message.recipients_accepted;
    } else {
      ++state.report.recipients_refused;
      message.refused.push_back(i);
      last_refusal = refused("rcpt", rcpt);
    }
  }
  if (message.recipients_accepted == 0) co_return last_refusal;
  begun = shard.now();
  CO_TRY(const Reply data, co_await command(link, "DATA\r\n"));
  state.report.data.add(shard.now() - begun);
  if (data.code != 354) co_return refused("data", data);
  co_return std::string();
}

Task<Result<std::string>> Source::Impl::envelope_at_once(Link& link, ShardState& state,
                                                         Message& message, bool sent) {
  Shard& shard = Shard::current();
  std::string first_refusal;
  const auto judge = [&](std::string_view stage, const Reply& reply) {
    refuse(state, stage, reply.text);
    if (first_refusal.empty()) first_refusal = fmt::format("{} {}", stage, joined(reply.text));
  };
  if (!sent) {
    std::string lines;
    append_envelope(lines, message);
    message.begun = shard.now();
    CO_TRY_VOID(co_await link.stream.write(lines, reply_deadline()));
  }
  CO_TRY(const Reply mail, co_await read_reply(link));
  if (!sent) state.report.mail.add(shard.now() - message.begun);
  const bool sender_taken = mail.positive();
  if (!sender_taken) judge("mail", mail);
  for (std::size_t i = 0; i < options.recipients; ++i) {
    CO_TRY(const Reply rcpt, co_await read_reply(link));
    if (rcpt.positive()) {
      ++message.recipients_accepted;
    } else if (sender_taken) {
      ++state.report.recipients_refused;
      message.refused.push_back(i);
      judge("rcpt", rcpt);
    }
  }
  CO_TRY(const Reply data, co_await read_reply(link));
  if (data.code == 354) {
    if (message.recipients_accepted != 0) co_return std::string();
    CO_TRY(const Reply empty,
           co_await command(link, ".\r\n"));  // RFC 2920 s3.1: nobody to send it to
    (void)empty;
  } else if (message.recipients_accepted != 0) {
    judge("data", data);
  }
  co_return first_refusal.empty() ? "data" : first_refusal;
}

Task<Result<Reply>> Source::Impl::command(Link& link, std::string_view line) {
  // Borrowed until the task ends; so is `line` by the callers, who await at once.
  CO_TRY_VOID(co_await link.stream.write(line, reply_deadline()));
  co_return co_await read_reply(link);
}

Task<Result<Reply>> Source::Impl::read_reply(Link& link) {
  while (true) {
    const std::string_view input(link.buffer.data() + link.begin, link.end - link.begin);
    for (std::size_t at = 0;;) {
      const std::size_t line_end = input.find("\r\n", at);
      if (line_end == std::string_view::npos) break;
      if (line_end < at + 3) co_return fail(protocol_error("reply", input.substr(0, line_end)));
      if (line_end == at + 3 || input[at + 3] != '-') {  // the last line
        Reply reply;
        std::from_chars(input.data() + at, input.data() + at + 3, reply.code);
        reply.text = input.substr(0, line_end);
        link.begin += line_end + 2;
        states[Shard::current().index()].last_reply = Shard::current().now();
        co_return reply;
      }
      at = line_end + 2;
    }
    if (link.begin == link.end) {
      link.begin = link.end = 0;
    } else if (link.end == link.buffer.size()) {
      if (link.begin == 0) co_return fail(protocol_error("reply", "too long"));
      std::copy(link.buffer.begin() + static_cast<std::ptrdiff_t>(link.begin), link.buffer.end(),
                link.buffer.begin());
      link.end -= std::exchange(link.begin, 0);
    }
    CO_TRY(
        const std::size_t count,
        co_await link.stream.read_some(std::span(link.buffer).subspan(link.end), reply_deadline()));
    if (count == 0) co_return fail(net::Errc::kPeerClosed);
    link.end += count;
  }
}

// --- what came of it -----------------------------------------------------------------------------------------

void Source::Impl::refuse(ShardState& state, std::string_view stage, std::string_view reply) {
  ++state.report.refusals[fmt::format("{} {}", stage, reply.substr(0, 3))];
}

void Source::Impl::conclude(ShardState& state, const Message& message, Fate fate,
                            std::string_view reply) {
  SourceReport& report = state.report;
  switch (fate) {
    case Fate::kAccepted:
      ++report.accepted;
      report.recipients_accepted += message.recipients_accepted;
      break;
    case Fate::kRefused: ++report.refused; break;
    case Fate::kUnknown: ++report.unknown; break;
    case Fate::kCut: ++report.cut; break;
  }
  if (ledger && (fate == Fate::kAccepted || options.ledger_all)) write_ledger(message, fate, reply);
}

void Source::Impl::write_ledger(const Message& message, Fate fate, std::string_view reply) {
  static constexpr std::array<const char*, 4> kNames = {"accepted", "refused", "unknown", "cut"};
  nlohmann::ordered_json line;
  line["time"] = rfc3339_now();
  line["message_id"] = "<" + id_of(message) + ">";
  line["sender"] = options.sender;
  auto& recipients = line["recipients"] = nlohmann::json::array();
  for (std::size_t i = 0; i < options.recipients; ++i) {
    if (std::ranges::find(message.refused, i) == message.refused.end())
      recipients.push_back(recipient_of(message, i));
  }
  line["outcome"] = kNames.at(static_cast<std::size_t>(fate));
  line["reply"] = joined(reply);
  ledger->add(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace godwit::cli::bench
