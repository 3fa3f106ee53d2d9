#include "ingress/smtp_session.h"

#include <algorithm>
#include <utility>

#include "common/observe/log.h"
#include "ingress/proxied_client.h"

using namespace std::chrono_literals;

namespace godwit::ingress {
namespace {

using smtp::Reply;

const observe::Logger kLog{"ingress"};

constexpr std::size_t kCommandBufferBytes = 4 * 1024;
constexpr std::size_t kContentBufferBytesMin = 8 * 1024;
constexpr std::size_t kContentBufferBytesMax = 512 * 1024;
constexpr std::uint64_t kContentTrustBytes = 64 * 1024;
constexpr Duration kIdleWithBuffer = 1s;  // then the buffer is given away
constexpr Duration kLingerTime = 2s;      // for a reply to be read before a connection is reset

bool is_timeout(const Result<std::size_t>& count) {
  return !count && count.error().code == net::Errc::kTimeout;
}

const smtp::ServerConfig& protocol_for(const Port& port, const net::IpAddress& client) {
  return client.is_loopback() ? port.protocol_loopback : port.protocol;
}

}  // namespace

SmtpSession::SmtpSession(const Services& services, const Port& port, ShardServices& shard,
                         net::Stream stream)
    : services_(services),
      port_(port),
      shard_(shard),
      stream_(std::move(stream)),
      trusted_(port.trusts(client())),
      number_(system_random().next()),
      protocol_(protocol_for(port, client()), port.config.tls == ListenerTls::kImplicit) {}

std::string SmtpSession::id() const {
  std::string text(2 * sizeof number_, '0');
  std::uint64_t rest = number_;
  for (auto digit = text.rbegin(); rest != 0; rest >>= 4) *digit++ = "0123456789abcdef"[rest & 15];
  return text;
}

// A coroutine whose parameters and session live in its frame, the only one of an idle session.
async::Task<void> SmtpSession::serve(const Services& services, const Port& port,
                                     ShardServices& shard, net::Stream stream) {
  if (!port.proxies.empty() && !co_await learn_client(services, port, shard, stream)) co_return;
  SmtpSession session(services, port, shard, std::move(stream));
  if (!co_await session.begin()) co_return;
  while (co_await session.work()) {
    if (!session.woken(co_await session.stream_.wait_readable(session.command_deadline_))) break;
  }
  co_await session.end();
}

async::Task<bool> SmtpSession::begin() {
  on_stop_.emplace(shard_.stop, [this] { stream_.close(); });
  auto [entry, pass] = services_.sessions.enter(client(), trusted_ || client().is_loopback());
  pass_ = std::move(pass);
  const bool implicit_tls = port_.config.tls == ListenerTls::kImplicit;
  if (entry != SessionCounts::Entry::kEntered) {
    services_.metrics.session_refused();
    kLog.info("session refused",
              {{"session", id()},
               {"listener", port_.name()},
               {"limit", entry == SessionCounts::Entry::kFull ? "sessions_max"
                                                              : "sessions_per_address_max"}});
    if (implicit_tls) co_return false;  // without a handshake there is nobody to talk to
    protocol_.close(Reply::of(421, {4, 7, 0}, services_.hostname + " Too many connections"));
  } else {
    services_.metrics.session_begun(port_.config.kind);
    if (observe::Logger::enabled(observe::Level::kDebug)) {
      kLog.debug("session begun", {{"session", id()},
                                   {"listener", port_.name()},
                                   {"client", observe::personal(stream_.remote().to_text())}});
    }
  }
  if (implicit_tls && !co_await handshake()) co_return false;
  on_drain_.emplace(shard_.drain, [this] { drain_requested(); });
  command_deadline_ = in(services_.config.timeouts.command);
  co_return true;
}

async::Task<bool> SmtpSession::work() {
  for (bool open = true; open;) {
    const smtp::ServerAction action = protocol_.next(input_.view());
    if (action.kind == Kind::kContent) take_content(action.content);
    input_.consume(action.consumed);
    // For the next command; what takes its time, as storing does, sets it anew below.
    if (action.consumed > 0) command_deadline_ = in(services_.config.timeouts.command);
    switch (action.kind) {
      case Kind::kContent: break;
      case Kind::kRead: {
        if (protocol_.has_output() && !co_await write_output()) {
          open = false;
          break;
        }
        const auto reading = next_read();
        if (!reading) break;  // there is something to say first
        waiting_idle_ = reading->idle;
        const auto count =
            co_await stream_.read_some(input_.space(reading->capacity), reading->deadline);
        if (waiting_idle_ && is_timeout(count) && reading->deadline < command_deadline_) {
          give_memory_away();
          co_return true;
        }
        waiting_idle_ = false;
        open = !read_ended(count);
        break;
      }
      case Kind::kWrite: open = (co_await write_output()).has_value(); break;
      case Kind::kMail:
        if (auto refusal = refuse_mail()) {
          forget_message();
          refuse(IngressMetrics::Command::kMail, *refusal);
        } else {
          protocol_.accept();
        }
        break;
      case Kind::kRcpt:
        if (auto refusal = refuse_recipient())
          refuse(IngressMetrics::Command::kRcpt, *refusal);
        else
          protocol_.accept();
        break;
      case Kind::kData:
        if (auto refusal = refuse_content()) {
          refuse(IngressMetrics::Command::kData, *refusal);
        } else {
          protocol_.accept();
          begin_content();
        }
        break;
      case Kind::kMessage: {
        const Reply reply = co_await finish_message();
        if (!reply.positive()) services_.metrics.message_refused(reply.permanent());
        forget_message();
        protocol_.answer(reply);
        break;
      }
      case Kind::kAbort: forget_message(); break;
      case Kind::kAuth: co_await authenticate(); break;
      case Kind::kStartTls: open = co_await start_tls(); break;
      case Kind::kClose:
        co_await close();
        open = false;
        break;
    }
    if (action.consumed > 0) command_deadline_ = in(services_.config.timeouts.command);
  }
  co_return false;
}

void SmtpSession::refuse(IngressMetrics::Command command, const Reply& reply) {
  services_.metrics.command_refused(command, reply.permanent());
  protocol_.answer(reply);
}

// The wait between two messages is over.
bool SmtpSession::woken(const Result<void>& ready) {
  waiting_idle_ = false;
  if (ready) return true;
  if (ready.error().code != net::Errc::kTimeout) return false;
  close_for_silence();
  return true;
}

async::Task<void> SmtpSession::end() {
  if (farewell_) {
    farewell_->ended.notify();
    co_await farewell_->said.wait();
  }
  if (observe::Logger::enabled(observe::Level::kDebug))
    kLog.debug("session ended", {{"session", id()}, {"errors", protocol_.errors()}});
}

// --- connection ----------------------------------------------------------------------------------

async::Task<bool> SmtpSession::handshake() {
  const Instant began = shard_.shard.now();
  const auto done =
      co_await stream_.start_tls_server(*services_.tls, in(services_.config.timeouts.handshake));
  if (done) {
    services_.metrics.tls_begun(stream_.tls()->version, shard_.shard.now() - began);
    co_return true;
  }
  services_.metrics.tls_failed();
  kLog.debug("TLS handshake failed", {{"session", id()}, {"error", done.error()}});
  co_return false;
}

async::Task<bool> SmtpSession::start_tls() {
  // RFC 3207 s4.2, CVE-2011-0411: what is here already was sent in the clear, behind STARTTLS.
  if (stream_.pending() != net::Stream::Pending::kNothing || !input_.empty()) {
    protocol_.take_output(written_);
    (void)co_await stream_.write("554 5.5.0 Octets received behind STARTTLS, closing\r\n",
                                 in(services_.config.timeouts.write));
    co_return false;
  }
  if (!co_await write_output() || !co_await handshake()) co_return false;
  protocol_.tls_started();
  forget_message();
  co_return true;
}

// No coroutine: there are two of these a message.
async::Task<Result<void>> SmtpSession::write_output() {
  protocol_.take_output(written_);
  return stream_.write(written_, in(services_.config.timeouts.write));
}

// After an error or in a drain the peer may still be sending: were the connection closed over
// unread octets, TCP would reset it and our reply be lost. So it is read for a moment.
async::Task<void> SmtpSession::close() {
  if (saying_farewell_) {  // which writes, and ends our side
    const Instant deadline = shard_.shard.now() + kLingerTime;
    do {
      input_.consume(input_.view().size());
    } while ((co_await stream_.read_some(input_.space(kCommandBufferBytes), deadline)).value_or(0) >
             0);
    co_return;
  }
  if (!co_await write_output() || (protocol_.errors() == 0 && !draining_)) co_return;
  co_await stream_.finish(shard_.shard.now() + kLingerTime);
}

bool SmtpSession::read_ended(const Result<std::size_t>& count) {
  if (count && *count > 0) {
    input_.received(*count);
    return false;
  }
  if (!is_timeout(count)) return true;
  close_for_silence();
  return false;
}

void SmtpSession::close_for_silence() {
  services_.metrics.timed_out();
  protocol_.close(Reply::of(421, {4, 4, 2}, services_.hostname + " Timeout, closing connection"));
  input_.consume(input_.view().size());
}

std::optional<SmtpSession::Reading> SmtpSession::next_read() {
  if (protocol_.receiving_content()) {
    const std::uint64_t capacity = content_capacity();
    if (input_.full() && transaction_ && transaction_->reservation &&
        !transaction_->reservation->grow(capacity)) {
      services_.metrics.over_budget();
      protocol_.refuse_content(
          Reply::of(452, {4, 3, 1}, "Too much mail under way, try again later"));
      return std::nullopt;
    }
    return Reading{.capacity = capacity,
                   .deadline = std::min(in(services_.config.timeouts.block), message_deadline_)};
  }
  if (!input_.empty() || !protocol_.idle())
    return Reading{.capacity = kCommandBufferBytes, .deadline = command_deadline_};
  if (draining_) {
    protocol_.close(Reply::of(421, {4, 3, 2}, services_.hostname + " Service shutting down"));
    return std::nullopt;
  }
  // For a moment with a buffer at hand: a client that is busy is not asked twice.
  return Reading{.capacity = kCommandBufferBytes,
                 .deadline = std::min(command_deadline_, shard_.shard.now() + kIdleWithBuffer),
                 .idle = true};
}

// Of the next buffer. What was announced is believed as far as something of it came: a buffer is a
// promise of memory.
std::uint64_t SmtpSession::content_capacity() const {
  const std::uint64_t had = transaction_ ? transaction_->content.size() : 0;
  const std::uint64_t hint =
      std::min(protocol_.content_size_hint(), services_.config.max_message_bytes);
  const std::uint64_t expected =
      hint > had ? std::min(hint - had + 512, std::max(had, kContentTrustBytes)) : had;
  return std::clamp<std::uint64_t>(expected, kContentBufferBytesMin, kContentBufferBytesMax);
}

void SmtpSession::give_memory_away() {
  input_.release();
  (void)protocol_.take_output();
  std::string().swap(written_);
}

// --- drain ---------------------------------------------------------------------------------------

void SmtpSession::drain_requested() {
  draining_ = true;
  if (!waiting_idle_ || farewell_) return;  // else the session itself sees it when it is idle
  farewell_ = std::make_unique<Farewell>();
  if (!shard_.shard.spawn(say_farewell(), shard_.farewells)) farewell_->said.notify();
}

// While serve() waits for input: that ends when the peer hangs up, as 421 makes it, or when the
// connection is closed here; then it waits for `said`.
async::Task<void> SmtpSession::say_farewell() {
  if (!waiting_idle_) {  // a command came meanwhile: the session says it when it is idle again
    farewell_->said.notify();
    co_return;
  }
  saying_farewell_ = true;
  protocol_.close(Reply::of(421, {4, 3, 2}, services_.hostname + " Service shutting down"));
  if (co_await write_output() &&
      co_await stream_.shutdown_write(in(services_.config.timeouts.write))) {
    (void)co_await farewell_->ended.wait(shard_.shard.now() + kLingerTime);
  }
  stream_.close();
  farewell_->said.notify();
}

}  // namespace godwit::ingress
