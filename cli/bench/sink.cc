#include "cli/bench/sink.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/bench/sink_dialogue.h"
#include "cli/bench/text.h"
#include "common/async/sleep.h"
#include "common/async/stop_signal.h"
#include "common/net/listener.h"

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;
using async::Task;
using Counter = std::atomic<std::uint64_t>;

constexpr Duration kIdleTimeout = 10min;
constexpr std::size_t kReadBytes = 16 * 1024;

// Added to by one shard, read by all.
void add(Counter& counter, std::uint64_t count = 1) {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

struct alignas(64) ShardState {
  async::StopSignal stop;
  async::Sleeper flusher;
  std::unique_ptr<Random> random;
  std::uint64_t sessions = 0;
  Counter connections = 0;
  Counter tls_connections = 0;
  Counter messages_accepted = 0;
  Counter messages_refused = 0;
  Counter messages_dropped = 0;
  Counter recipients_accepted = 0;
  Counter recipients_refused = 0;
  Counter bytes = 0;
  Counter connections_dropped = 0;
};

std::string ledger_line(const Taken& message, const net::Stream& stream,
                        const std::string& session) {
  nlohmann::ordered_json line;
  line["time"] = rfc3339_now();
  line["session"] = session;
  line["remote"] = stream.remote().to_text();
  if (stream.tls()) line["tls"] = stream.tls()->version;
  line["sender"] = message.sender;
  line["recipients"] = message.recipients;
  line["message_id"] = message.message_id;
  line["bytes"] = message.bytes;
  line["outcome"] = message.reply.empty()          ? "dropped"
                    : message.reply.front() == '2' ? "accepted"
                                                   : "refused";
  line["reply"] = message.reply;
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

struct Sink::Impl {
  explicit Impl(SinkOptions sink_options)
      : options(std::move(sink_options)), shards(options.threads), states(shards.size()) {
    settings.hostname = options.hostname;
    settings.offers_starttls = options.tls == TlsMode::kStartTls;
    settings.wants_message_id = !options.ledger_file.empty();
    for (std::size_t i = 0; i < states.size(); ++i) {
      const std::uint64_t seed = options.seed != 0 ? options.seed + i : system_random().next();
      states[i].random = std::make_unique<SeededRandom>(seed);
    }
  }

  Task<void> session(async::Shard& shard, net::Stream stream);
  // Runs the dialogue until the connection has to end; says how.
  Task<Drop> converse(net::Stream& stream, ShardState& state, SinkDialogue& dialogue,
                      async::Sleeper& sleeper);
  void note(const Taken& message, const net::Stream& stream, ShardState& state,
            const std::string& session) const;
  Task<void> flush_ledger(ShardState& state);

  SinkOptions options;
  SinkDialogue::Settings settings;
  std::shared_ptr<net::TlsServerContext> tls;
  std::unique_ptr<Ledger> ledger;
  async::Shards shards;
  std::vector<ShardState> states;
  async::Gate flushing;
  std::unique_ptr<net::Listener> listener;
  bool stopped = false;
};

Sink::Sink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Sink::~Sink() {
  (void)stop();
}

Result<std::unique_ptr<Sink>> Sink::start(SinkOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (impl->options.tls != TlsMode::kNone) {
    TRY(impl->tls, impl->options.tls_files.certificate.empty()
                       ? net::TlsServerContext::self_signed(impl->options.hostname)
                       : net::TlsServerContext::load(impl->options.tls_files));
  }
  if (!impl->options.ledger_file.empty()) {
    TRY(impl->ledger, Ledger::open(impl->options.ledger_file));
  }
  TRY(impl->listener,
      net::Listener::open(impl->shards, impl->options.listen, {.backlog = 4096},
                          [impl = impl.get()](async::Shard& shard, net::Stream stream) {
                            return impl->session(shard, std::move(stream));
                          }));
  impl->shards.start();
  impl->listener->start();
  if (impl->ledger) impl->shards.at(0).spawn(impl->flush_ledger(impl->states[0]), impl->flushing);
  return std::unique_ptr<Sink>(new Sink(std::move(impl)));
}

const net::Address& Sink::address() const {
  return impl_->listener->local();
}

std::string Sink::certificate_pem() const {
  return impl_->tls ? impl_->tls->certificate_pem() : "";
}

SinkCounters Sink::counters() const {
  SinkCounters sum;
  for (const ShardState& state : impl_->states) {
    sum.connections += state.connections;
    sum.tls_connections += state.tls_connections;
    sum.messages_accepted += state.messages_accepted;
    sum.messages_refused += state.messages_refused;
    sum.messages_dropped += state.messages_dropped;
    sum.recipients_accepted += state.recipients_accepted;
    sum.recipients_refused += state.recipients_refused;
    sum.bytes += state.bytes;
    sum.connections_dropped += state.connections_dropped;
  }
  return sum;
}

Result<void> Sink::stop() {
  if (!std::exchange(impl_->stopped, true)) {
    impl_->listener->stop_accepting();
    for (std::size_t i = 0; i < impl_->states.size(); ++i) {
      impl_->shards.at(i).post([&state = impl_->states[i]] {
        state.stop.request();
        state.flusher.wake();
      });
    }
    impl_->listener->wait_drained();
    impl_->flushing.close_and_wait();
    impl_->shards.stop();
    if (impl_->ledger) impl_->ledger->flush();
  }
  return impl_->ledger ? impl_->ledger->status() : Result<void>();
}

Task<void> Sink::Impl::session(async::Shard& shard, net::Stream stream) {
  ShardState& state = states[shard.index()];
  add(state.connections);
  async::Sleeper sleeper;
  const async::StopSignal::Callback on_stop(state.stop, [&stream, &sleeper] {
    stream.close();
    sleeper.wake();
  });
  if (options.tls == TlsMode::kImplicit) {
    if (!co_await stream.start_tls_server(*tls, shard.now() + kIdleTimeout)) co_return;
    add(state.tls_connections);
  }
  SinkDialogue dialogue(*options.script, settings, *state.random);
  const Drop drop = co_await converse(stream, state, dialogue, sleeper);
  add(state.recipients_refused, dialogue.recipients_refused());
  if (drop == Drop::kReset) stream.abort();
  if (drop == Drop::kClose) co_await stream.finish(shard.now() + 5s);
}

Task<Drop> Sink::Impl::converse(net::Stream& stream, ShardState& state, SinkDialogue& dialogue,
                                async::Sleeper& sleeper) {
  using Kind = SinkDialogue::Step::Kind;
  async::Shard& shard = async::Shard::current();
  const std::string session = fmt::format("{}-{}", shard.index(), state.sessions++);
  std::array<char, kReadBytes> buffer;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string out;
  while (true) {
    std::size_t used = 0;
    SinkDialogue::Step step = dialogue.next({buffer.data() + begin, end - begin}, used, out);
    begin += used;
    if (step.kind == Kind::kTaken) {
      note(dialogue.taken(), stream, state, session);
      if (step.drop == Drop::kNo) continue;
      step.kind = Kind::kDrop;
    }
    // Replies leave together, when nothing more can be said without the peer.
    if (!out.empty()) {
      if (!co_await stream.write(out, shard.now() + kIdleTimeout)) co_return Drop::kNo;
      out.clear();
    }
    switch (step.kind) {
      case Kind::kRead: {
        if (begin == end) {
          begin = end = 0;
        } else if (end == buffer.size()) {
          std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(begin), buffer.end(),
                    buffer.begin());
          end -= std::exchange(begin, 0);
        }
        const Result<std::size_t> count =
            co_await stream.read_some(std::span(buffer).subspan(end), shard.now() + kIdleTimeout);
        if (!count || *count == 0) co_return Drop::kNo;
        end += *count;
        break;
      }
      case Kind::kDelay: {
        if (!co_await sleeper.sleep_until(shard.now() + step.delay)) co_return Drop::kNo;
        break;
      }
      case Kind::kStartTls:
        if (begin != end) co_return Drop::kReset;  // put there by somebody else
        if (!co_await stream.start_tls_server(*tls, shard.now() + kIdleTimeout))
          co_return Drop::kNo;
        add(state.tls_connections);
        dialogue.tls_started();
        break;
      case Kind::kTaken:
      case Kind::kDrop: add(state.connections_dropped, step.scripted ? 1 : 0); co_return step.drop;
    }
  }
}

void Sink::Impl::note(const Taken& message, const net::Stream& stream, ShardState& state,
                      const std::string& session) const {
  if (message.reply.empty()) {
    add(state.messages_dropped);
  } else if (message.reply.front() == '2') {
    add(state.messages_accepted);
    add(state.recipients_accepted, message.recipients.size());
    add(state.bytes, message.bytes);
  } else {
    add(state.messages_refused);
  }
  if (ledger) ledger->add(ledger_line(message, stream, session));
}

Task<void> Sink::Impl::flush_ledger(ShardState& state) {
  while (co_await state.flusher.sleep_until(async::Shard::current().now() + Ledger::kFlushEvery)) {
    ledger->flush();  // blocks this shard for one write to the page cache
  }
}

}  // namespace godwit::cli::bench
