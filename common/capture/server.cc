#include "common/capture/server.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <latch>
#include <string>
#include <utility>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/net/listener.h"
#include "common/net/stream.h"
#include "common/smtp/dot_stuffing.h"
#include "common/smtp/server_session.h"

namespace godwit::capture {
namespace {

using Kind = smtp::ServerAction::Kind;

constexpr std::uint64_t kMailBytesMax = 64ull << 20;
constexpr Duration kReadTimeout = std::chrono::minutes(5);  // RFC 5321 s4.5.3.2.7
constexpr Duration kWriteTimeout = std::chrono::minutes(1);
constexpr std::size_t kReadBytes = 16 * 1024;

std::string parameters_text(const smtp::MailParameters& parameters) {
  std::string out;
  const auto add = [&](const std::string& parameter) {
    if (!out.empty()) out += ' ';
    out += parameter;
  };
  if (parameters.size) add("SIZE=" + std::to_string(*parameters.size));
  if (parameters.body == smtp::Body::k7Bit) add("BODY=7BIT");
  if (parameters.body == smtp::Body::k8BitMime) add("BODY=8BITMIME");
  if (parameters.smtputf8) add("SMTPUTF8");
  if (parameters.ret == smtp::Ret::kFull) add("RET=FULL");
  if (parameters.ret == smtp::Ret::kHeaders) add("RET=HDRS");
  if (!parameters.envid.empty()) add("ENVID=" + parameters.envid);
  return out;
}

smtp::ServerConfig server_config(const Limits& limits) {
  smtp::ServerConfig config;
  config.hostname = "capture.invalid";
  config.limits.content_bytes_max = std::min(limits.bytes_max, kMailBytesMax);
  config.limits.content_drained_bytes_max = config.limits.content_bytes_max;
  config.limits.content_line_bytes_max = 0;  // it takes what it gets
  config.limits.recipients_max = 1'000;
  return config;
}

// What was received and not yet consumed.
class Input {
 public:
  [[nodiscard]] std::string_view view() const { return std::string_view(octets_).substr(used_); }
  void consume(std::size_t octets) { used_ += octets; }
  void append(std::string_view octets) {
    octets_.erase(0, used_);
    used_ = 0;
    octets_ += octets;
  }

 private:
  std::string octets_;
  std::size_t used_ = 0;
};

}  // namespace

struct CaptureServer::State {
  State(async::Shards& shards_, async::BlockingPool& pool_, Store& store_, const Clock& clock_)
      : shards(shards_),
        pool(pool_),
        store(store_),
        clock(clock_),
        config(server_config(store_.limits())),
        stops(shards_.size()) {}

  async::Task<void> serve(async::Shard& shard, net::Stream stream);
  async::Task<Result<void>> flush(async::Shard& shard, smtp::ServerSession& session,
                                  net::Stream& stream);
  async::Task<smtp::Reply> keep(const smtp::ServerSession& session, const net::Stream& stream,
                                std::string content);

  async::Shards& shards;
  async::BlockingPool& pool;
  Store& store;
  const Clock& clock;
  const smtp::ServerConfig config;
  std::vector<async::StopSignal> stops;  // one a shard
  std::unique_ptr<net::Listener> listener;
};

CaptureServer::CaptureServer(async::Shards& shards, async::BlockingPool& pool, Store& store,
                             const Clock& clock)
    : state_(std::make_unique<State>(shards, pool, store, clock)) {}

CaptureServer::~CaptureServer() {
  stop();
}

Result<net::Address> CaptureServer::start() {
  TRY(state_->listener,
      net::Listener::open(state_->shards, {net::IpAddress::loopback(), 0},
                          {.connections_max = kSessionsMax},
                          [state = state_.get()](async::Shard& shard, net::Stream stream) {
                            return state->serve(shard, std::move(stream));
                          }));
  state_->listener->start();
  return state_->listener->local();
}

void CaptureServer::stop() {
  if (!state_->listener) return;
  state_->listener->stop_accepting();
  // A shard without sessions is not waited for by the listener, and still has our signal to look at.
  std::latch told(static_cast<std::ptrdiff_t>(state_->shards.size()));
  for (std::size_t i = 0; i < state_->shards.size(); ++i) {
    state_->shards.at(i).post([&stop = state_->stops[i], &told] {
      stop.request();
      told.count_down();
    });
  }
  told.wait();
  state_->listener->wait_drained();
  state_->listener.reset();
}

// One session, on its shard. `this` outlives it: stop() waits.
async::Task<void> CaptureServer::State::serve(async::Shard& shard, net::Stream stream) {
  async::StopSignal::Callback on_stop(stops[shard.index()], [&stream] { stream.close(); });
  smtp::ServerSession session(config, /*tls=*/false);
  Input input;
  std::string content;
  std::array<char, kReadBytes> buffer;
  for (;;) {
    const smtp::ServerAction action = session.next(input.view());
    if (action.kind == Kind::kContent) content += action.content;
    input.consume(action.consumed);
    switch (action.kind) {
      case Kind::kMail:
      case Kind::kRcpt:
      case Kind::kData: session.accept(); break;
      case Kind::kContent: break;
      case Kind::kMessage:
        session.answer(co_await keep(session, stream, std::exchange(content, {})));
        break;
      case Kind::kAbort: content.clear(); break;
      case Kind::kWrite:
        if (!co_await flush(shard, session, stream)) co_return;
        break;
      case Kind::kRead: {
        if (!co_await flush(shard, session, stream)) co_return;
        const auto read = co_await stream.read_some(buffer, shard.now() + kReadTimeout);
        if (!read || *read == 0) co_return;
        input.append({buffer.data(), *read});
        break;
      }
      case Kind::kClose: (void)co_await flush(shard, session, stream); co_return;
      // Neither is offered.
      case Kind::kAuth:
      case Kind::kStartTls: co_return;
    }
  }
}

async::Task<Result<void>> CaptureServer::State::flush(async::Shard& shard,
                                                      smtp::ServerSession& session,
                                                      net::Stream& stream) {
  const std::string output = session.take_output();
  if (output.empty()) co_return Result<void>{};
  co_return co_await stream.write(output, shard.now() + kWriteTimeout);
}

async::Task<smtp::Reply> CaptureServer::State::keep(const smtp::ServerSession& session,
                                                    const net::Stream& stream,
                                                    std::string content) {
  const smtp::Envelope& envelope = session.envelope();
  Metadata metadata{.time = clock.now(),
                    .sender = envelope.sender.text(),
                    .client = stream.remote().to_text(),
                    .helo = session.helo(),
                    .parameters = parameters_text(envelope.parameters)};
  for (const auto& recipient : envelope.recipients) {
    metadata.recipients.push_back(recipient.address.text());
  }
  const bool stuffed = session.content_facts().dot_stuffed;
  const auto kept = co_await pool.run([&] {
    return store.add(std::move(metadata), stuffed ? smtp::dot_unstuffed(content) : content);
  });
  if (!kept) {
    co_return smtp::Reply::of(451, {4, 3, 0}, "The capture cannot keep it: try again later");
  }
  co_return smtp::Reply::of(250, {2, 0, 0}, "Ok: captured as " + kept->to_text());
}

}  // namespace godwit::capture
