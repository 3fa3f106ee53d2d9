#include "cli/bench/source.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "cli/bench/source_impl.h"
#include "cli/bench/text.h"
#include "common/base/random.h"

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;
using async::Shard;
using async::Task;

constexpr Duration kStopGrace = 5s;

std::chrono::microseconds to_microseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

std::string body_of(std::uint64_t bytes) {
  static constexpr std::string_view kLine =
      "The godwit flies from Alaska to New Zealand without a single stop on the way";
  std::string body;
  body.reserve(bytes + kLine.size() + 2);
  while (body.size() < bytes) body.append(kLine).append("\r\n");
  return body;
}

}  // namespace

std::string joined(std::string_view reply) {
  std::string line(reply);
  for (std::size_t at = line.find("\r\n"); at != std::string::npos; at = line.find("\r\n", at)) {
    line.replace(at, 2, " ");
  }
  return line;
}

Source::Impl::Impl(SourceOptions source_options)
    : options(std::move(source_options)),
      run_id(fmt::format("{:08x}", system_random().next() & 0xffffffffU)),
      body(body_of(options.bytes)),
      shards(options.threads),
      states(shards.size()) {}

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
  if (options.sender_count > 0 && !options.sender.contains('@')) {
    return fail(std::make_error_code(std::errc::invalid_argument), "several senders need a domain");
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

std::string Source::Impl::sender_of(const Message& message) const {
  if (options.sender_count == 0) return options.sender;
  const std::size_t at = options.sender.rfind('@');
  return fmt::format("{}@d{}.{}", options.sender.substr(0, at),
                     message.number / options.domains.size() % options.sender_count,
                     options.sender.substr(at + 1));
}

std::string Source::Impl::recipient_of(const Message& message, std::size_t index) const {
  const std::string& domain = options.domains[(message.number + index) % options.domains.size()];
  return fmt::format("r{}-{}@{}", message.number, index, domain);
}

void Source::Impl::append_mail(std::string& out, const Message& message) const {
  out.append("MAIL FROM:<").append(sender_of(message)).append(">\r\n");
}

void Source::Impl::append_rcpt(std::string& out, const Message& message, std::size_t index) const {
  out.append("RCPT TO:<").append(recipient_of(message, index)).append(">\r\n");
}

void Source::Impl::append_envelope(std::string& out, const Message& message) const {
  append_mail(out, message);
  for (std::size_t i = 0; i < options.recipients; ++i) append_rcpt(out, message, i);
  out.append("DATA\r\n");
}

std::string Source::Impl::header_of(const Message& message) const {
  return fmt::format(
      "Message-ID: <{}>\r\nFrom: <{}>\r\nTo: <{}>\r\nSubject: Bench {}\r\n"
      "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: "
      "text/plain\r\n\r\n",
      id_of(message), sender_of(message), recipient_of(message, 0), message.number);
}

std::string_view Source::Impl::body_behind(std::size_t header_bytes) const {
  // The end of the body, so that it ends with a line; never from the middle of a line's end.
  const std::uint64_t wanted = options.bytes > header_bytes ? options.bytes - header_bytes : 0;
  std::size_t from =
      body.size() - static_cast<std::size_t>(std::min<std::uint64_t>(wanted, body.size()));
  if (from > 0 && from < body.size() && body[from] == '\n') --from;
  return std::string_view(body).substr(from);
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
  line["sender"] = sender_of(message);
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
