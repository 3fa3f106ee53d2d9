#include "common/net/stream.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include "common/async/asio.h"
#include "common/base/check.h"
#include "common/net/socket.h"
#include "common/net/stream_impl.h"

namespace godwit::net {

using async::Task;

// --- waiting -------------------------------------------------------------------------------------

Stream::Impl::Impl(async::Shard& owner, int socket, std::optional<Address> remote_address)
    : shard(owner), descriptor(owner.executor()), fd(socket) {
  boost::system::error_code error;
  descriptor.assign(socket, error);
  if (error) {  // epoll has no room for it: the stream is closed from the start
    ::close(std::exchange(fd, -1));
    return;
  }
  if (remote_address) {
    remote = *remote_address;
    return;
  }
  SocketAddress peer;
  if (::getpeername(fd, peer.get(), &peer.length) == 0) remote = peer.address();
}

Stream::Impl::~Impl() {
  close();
}

void Stream::Impl::close() {
  if (fd < 0) return;
  if (tls_agreed && !tls_failed) {
    ERR_clear_error();
    SSL_shutdown(ssl.get());  // one try: who closes does not wait
    ERR_clear_error();
  }
  boost::system::error_code ignored;
  descriptor.close(ignored);  // what waits is woken
  fd = -1;
}

const Address& Stream::Impl::local_address() {
  if (!local) {
    SocketAddress name;
    local =
        fd >= 0 && ::getsockname(fd, name.get(), &name.length) == 0 ? name.address() : Address{};
  }
  return *local;
}

Task<Result<void>> Stream::Impl::wait(Side& side, Instant deadline) {
  if (fd < 0) co_return fail(Errc::kClosed);
  if (deadline <= shard.now()) co_return fail(Errc::kTimeout);
  CHECK(!side.waiting, "two tasks wait for one side of a stream");
  side.waiting = true;
  side.expired = false;
  shard.set_timer(side.timer, deadline);
  const auto kind =
      &side == &reading ? async::Descriptor::wait_read : async::Descriptor::wait_write;
  boost::system::error_code error;
  do {
    // Cancelling one side wakes the other too: it just waits again.
    std::tie(error) = co_await descriptor.async_wait(kind, async::kAwaitTuple);
  } while (error == async::asio::error::operation_aborted && fd >= 0 && !side.expired);
  side.waiting = false;
  side.timer.cancel();
  streak = 0;
  if (fd < 0) co_return fail(Errc::kClosed);
  if (side.expired) co_return fail(Errc::kTimeout);
  if (error) co_return fail(system_error(error.value(), "wait"));
  if (&side == &reading) drained = false;
  co_return Result<void>{};
}

void Stream::Impl::Side::Deadline::expired() {
  side.expired = true;
  boost::system::error_code ignored;
  side.stream.descriptor.cancel(ignored);
}

Task<void> Stream::Impl::take_turns() {
  // A peer that sends as fast as we read must not keep the shard for itself.
  constexpr unsigned kStreakMax = 64;
  if (++streak < kStreakMax) co_return;
  streak = 0;
  co_await async::asio::post(shard.executor(), async::kAwait);
}

// --- in clear ------------------------------------------------------------------------------------

Task<Result<std::size_t>> Stream::Impl::read_clear(std::span<char> into, Instant deadline) {
  while (true) {
    if (fd < 0) co_return fail(Errc::kClosed);
    if (!drained) {
      const ssize_t count = ::recv(fd, into.data(), into.size(), 0);
      if (count >= 0) {
        // Less than asked for: the kernel has no more now, the next read waits at once.
        drained = count > 0 && static_cast<std::size_t>(count) < into.size();
        co_await take_turns();
        co_return static_cast<std::size_t>(count);
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return fail(system_error(errno, "read"));
    }
    CO_TRY_VOID(co_await wait(reading, deadline));
  }
}

namespace {

// A run over pieces of memory that are written as one; `Pieces` has size() and operator[].
template <class Pieces>
class Cursor {
 public:
  explicit Cursor(const Pieces& pieces) : pieces_(pieces) { skip_empty(); }

  [[nodiscard]] bool done() const { return index_ == pieces_.size(); }

  // As much as fits into `vectors`; returns how many are filled.
  std::size_t fill(std::span<iovec> vectors) const {
    std::size_t used = 0;
    std::size_t offset = offset_;
    for (std::size_t i = index_; i < pieces_.size() && used < vectors.size(); ++i) {
      const std::string_view rest = pieces_[i].substr(offset);
      offset = 0;
      if (rest.empty()) continue;
      vectors[used++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    return used;
  }

  // Contiguous: the rest of the current piece when it fills a buffer or is the last one, else a
  // copy of as much as the buffer takes.
  std::string_view gather(std::span<char> buffer) const {
    const std::string_view first = pieces_[index_].substr(offset_);
    if (first.size() >= buffer.size()) return first.substr(0, buffer.size());
    std::array<iovec, 16> vectors;
    const std::size_t used = fill(vectors);
    if (used == 1) return first;
    std::size_t size = 0;
    for (std::size_t i = 0; i < used && size < buffer.size(); ++i) {
      const std::size_t take = std::min(vectors[i].iov_len, buffer.size() - size);
      std::memcpy(buffer.data() + size, vectors[i].iov_base, take);
      size += take;
    }
    return {buffer.data(), size};
  }

  void advance(std::size_t count) {
    while (count > 0) {
      const std::size_t step = std::min(count, pieces_[index_].size() - offset_);
      offset_ += step;
      count -= step;
      skip_empty();
    }
  }

 private:
  void skip_empty() {
    while (index_ < pieces_.size() && offset_ == pieces_[index_].size()) {
      ++index_;
      offset_ = 0;
    }
  }

  const Pieces& pieces_;
  std::size_t index_ = 0;
  std::size_t offset_ = 0;
};

// A rope with something before and after it.
class FramedRope {
 public:
  FramedRope(std::string_view before, const Rope& rope, std::string_view after)
      : before_(before), pieces_(rope.pieces()), after_(after) {}
  [[nodiscard]] std::size_t size() const { return pieces_.size() + 2; }
  [[nodiscard]] std::string_view operator[](std::size_t index) const {
    if (index == 0) return before_;
    return index <= pieces_.size() ? pieces_[index - 1].view() : after_;
  }

 private:
  std::string_view before_;
  const std::vector<Bytes>& pieces_;
  std::string_view after_;
};

}  // namespace

template <class Pieces>
Task<Result<void>> Stream::Impl::write_all(Pieces pieces, Instant deadline) {
  Cursor<Pieces> cursor(pieces);
  while (!cursor.done()) {
    if (fd < 0) co_return fail(Errc::kClosed);
    ssize_t sent = 0;
    if (ssl == nullptr) {
      std::array<iovec, 16> vectors;
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = cursor.fill(vectors);
      sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        co_return fail(system_error(errno, "write"));
      }
    } else {
      // One record of the largest size; the buffer is the thread's, because nothing of it is needed
      // later: what OpenSSL could not send it keeps encrypted, and asks for the same octets again.
      thread_local std::array<char, kTlsRecordMax> record;
      ERR_clear_error();
      const std::string_view octets = cursor.gather(record);
      TlsStep step = step_of(SSL_write(ssl.get(), octets.data(), static_cast<int>(octets.size())));
      if (step.result > 0) {
        sent = step.result;
      } else {
        CO_TRY_VOID(co_await wait_for(step, writing, "write", deadline));
        continue;
      }
    }
    if (sent > 0) {
      cursor.advance(static_cast<std::size_t>(sent));
    } else {
      CO_TRY_VOID(co_await wait(writing, deadline));
    }
  }
  co_return Result<void>{};
}

// --- in TLS --------------------------------------------------------------------------------------

Stream::Impl::TlsStep Stream::Impl::step_of(int result) {
  const int saved = errno;
  TlsStep step{result, SSL_ERROR_NONE, 0};
  if (result <= 0) {
    step.kind = SSL_get_error(ssl.get(), result);
    step.system_code = saved;
  }
  return step;
}

Task<Result<void>> Stream::Impl::wait_for(TlsStep step, Side& side, std::string_view doing,
                                          Instant deadline) {
  // Either direction may wait for either readiness, but at any time only one task waits for each:
  // the handshake is alone, and after it, without renegotiation, reading waits to read and writing
  // to write. A TLS 1.3 key update that must be answered while the socket is full is the exception;
  // it waits on the side it is.
  switch (step.kind) {
    case SSL_ERROR_WANT_READ:
      if (handshaking || &side == &reading) return wait(reading, deadline);
      return failed(step, doing);
    case SSL_ERROR_WANT_WRITE: return wait(handshaking ? writing : side, deadline);
    default: return failed(step, doing);
  }
}

Task<Result<void>> Stream::Impl::failed(TlsStep step, std::string_view doing) {
  tls_failed = true;
  const std::string reason = take_openssl_error();
  if (step.kind == SSL_ERROR_ZERO_RETURN) co_return fail(Errc::kPeerClosed, std::string(doing));
  if (step.kind == SSL_ERROR_SYSCALL && reason.empty()) {
    if (step.result == 0 || step.system_code == 0)
      co_return fail(Errc::kPeerClosed, std::string(doing));
    co_return fail(system_error(step.system_code, std::string(doing)));
  }
  co_return fail(Errc::kTls, std::string(doing) + ": " + reason);
}

Task<Result<std::size_t>> Stream::Impl::read_tls(std::span<char> into, Instant deadline) {
  while (true) {
    if (fd < 0) co_return fail(Errc::kClosed);
    ERR_clear_error();
    const TlsStep step = step_of(SSL_read(
        ssl.get(), into.data(), static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX))));
    if (step.result > 0) {
      co_await take_turns();
      co_return static_cast<std::size_t>(step.result);
    }
    if (step.kind == SSL_ERROR_ZERO_RETURN) co_return 0U;
    CO_TRY_VOID(co_await wait_for(step, reading, "read", deadline));
  }
}

Task<Result<void>> Stream::Impl::handshake(Instant deadline) {
  handshaking = true;
  Result<void> result;
  while (true) {
    if (fd < 0) {
      result = fail(Errc::kClosed);
      break;
    }
    ERR_clear_error();
    const TlsStep step = step_of(SSL_do_handshake(ssl.get()));
    if (step.result == 1) break;
    result = co_await wait_for(step, reading, "handshake", deadline);
    if (!result) break;
  }
  handshaking = false;
  tls_agreed = result.has_value();
  tls_failed = !tls_agreed;
  drained = false;
  co_return result;
}

namespace {

std::string subject_of(const SSL& ssl) {
  X509* const certificate = SSL_get0_peer_certificate(&ssl);
  if (certificate == nullptr) return "";
  std::array<char, 257> text{};
  X509_NAME_oneline(X509_get_subject_name(certificate), text.data(), text.size());
  return text.data();
}

TlsInfo info_of(SSL& ssl) {
  TlsInfo info;
  info.version = SSL_get_version(&ssl);
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(&ssl);
  info.cipher = SSL_CIPHER_get_name(cipher);
  info.cipher_bits = SSL_CIPHER_get_bits(cipher, nullptr);
  info.resumed = SSL_session_reused(&ssl) != 0;
  if (const char* name = SSL_get_servername(&ssl, TLSEXT_NAMETYPE_host_name))
    info.server_name = name;
  if (SSL_is_server(&ssl) == 0) {
    const long verdict = SSL_get_verify_result(&ssl);
    info.verified = verdict == X509_V_OK;
    if (!info.verified) info.verify_error = X509_verify_cert_error_string(verdict);
    info.peer_subject = subject_of(ssl);
  }
  return info;
}

void expect_host(SSL& ssl, const std::string& host) {
  SSL_set_hostflags(&ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (IpAddress::from_text(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(&ssl, host.c_str());  // RFC 6066 s3: names only
    SSL_set1_host(&ssl, host.c_str());
  }
}

}  // namespace

// --- Stream --------------------------------------------------------------------------------------

Stream::Stream() = default;
Stream::Stream(async::Shard& shard, int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  impl_ = std::make_unique<Impl>(shard, socket, std::nullopt);
  boost::system::error_code ignored;
  impl_->descriptor.native_non_blocking(true, ignored);
}
Stream::Stream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

Stream Stream::of_tcp(async::Shard& shard, int socket, const Address& remote) {
  return Stream(std::make_unique<Impl>(shard, socket, remote));
}

Task<Result<std::size_t>> Stream::read_some(std::span<char> into, Instant deadline) {
  CHECK(!into.empty(), "a read into nothing");
  if (!is_open()) return refuse_read();
  return impl_->ssl != nullptr ? impl_->read_tls(into, deadline)
                               : impl_->read_clear(into, deadline);
}

Task<Result<std::size_t>> Stream::refuse_read() {
  co_return fail(Errc::kClosed);
}
Task<Result<void>> Stream::refuse_write() {
  co_return fail(Errc::kClosed);
}

Task<Result<void>> Stream::is_readable() {
  co_return Result<void>{};
}

// No coroutine itself: who waits long holds the frame of wait() alone.
Task<Result<void>> Stream::wait_readable(Instant deadline) {
  if (!is_open()) return refuse_write();
  const bool known_empty = impl_->ssl == nullptr && impl_->drained;
  if (!known_empty && pending() != Pending::kNothing) return is_readable();
  return impl_->wait(impl_->reading, deadline);
}

Task<Result<void>> Stream::write(std::string_view octets, Instant deadline) {
  return is_open() ? impl_->write_all(std::array{octets}, deadline) : refuse_write();
}

Task<Result<void>> Stream::write(std::span<const std::string_view> pieces, Instant deadline) {
  return is_open() ? impl_->write_all(pieces, deadline) : refuse_write();
}

Task<Result<void>> Stream::write(const Rope& rope, Instant deadline) {
  return write({}, rope, {}, deadline);
}

Task<Result<void>> Stream::write(std::string_view before, const Rope& rope, std::string_view after,
                                 Instant deadline) {
  return is_open() ? impl_->write_all(FramedRope(before, rope, after), deadline) : refuse_write();
}

Stream::Pending Stream::pending() const {
  if (!is_open()) return Pending::kEnd;
  char octet = 0;
  if (impl_->ssl != nullptr) {
    ERR_clear_error();
    const Impl::TlsStep step = impl_->step_of(SSL_peek(impl_->ssl.get(), &octet, 1));
    if (step.result > 0) return Pending::kData;
    if (step.kind == SSL_ERROR_WANT_READ || step.kind == SSL_ERROR_WANT_WRITE)
      return Pending::kNothing;
    ERR_clear_error();
    return Pending::kEnd;
  }
  const ssize_t count = ::recv(impl_->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count > 0) return Pending::kData;
  const bool nothing = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return nothing ? Pending::kNothing : Pending::kEnd;
}

Task<Result<void>> Stream::start_tls_server(TlsServerContext& context, Instant deadline) {
  if (!is_open()) co_return fail(Errc::kClosed);
  CHECK(impl_->ssl == nullptr, "TLS in TLS");
  const std::shared_ptr<SSL_CTX> current = context.current();
  impl_->ssl = new_ssl(*current, impl_->fd);
  SSL_set_accept_state(impl_->ssl.get());
  CO_TRY_VOID(co_await impl_->handshake(deadline));
  co_return Result<void>{};
}

Task<Result<void>> Stream::start_tls_client(TlsClientContext& context, TlsPeer peer,
                                            Instant deadline) {
  if (!is_open()) co_return fail(Errc::kClosed);
  CHECK(impl_->ssl == nullptr, "TLS in TLS");
  // A TLS server speaks second: what is here already was not sent by it.
  if (pending() == Pending::kData) co_return fail(Errc::kTlsInjected, peer.host);
  impl_->ssl = new_ssl(*context.impl_->context, impl_->fd);
  SSL& ssl = *impl_->ssl;
  SSL_set_connect_state(&ssl);
  expect_host(ssl, peer.host);
  SSL_set_verify(&ssl, peer.trust == TlsTrust::kVerified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                 nullptr);
  impl_->sessions = std::make_unique<TlsClientSessionSlot>(
      context.impl_.get(),
      std::to_string(static_cast<int>(peer.trust)) + "\n" + peer.host + "\n" + peer.realm);
  attach_session_slot(ssl, impl_->sessions.get());
  if (const SessionPtr session = context.impl_->recall(impl_->sessions->key)) {
    SSL_set_session(&ssl, session.get());
  }
  if (Result<void> done = co_await impl_->handshake(deadline); !done) {
    const long verdict = SSL_get_verify_result(&ssl);
    if (done.error().code == Errc::kTls && peer.trust == TlsTrust::kVerified &&
        verdict != X509_V_OK) {
      co_return fail(Errc::kTlsUntrusted,
                     peer.host + ": " + X509_verify_cert_error_string(verdict));
    }
    co_return fail(std::move(done).error().within(peer.host));
  }
  co_return Result<void>{};
}

std::optional<TlsInfo> Stream::tls() const {
  if (impl_ == nullptr || !impl_->tls_agreed) return std::nullopt;
  return info_of(*impl_->ssl);
}

Task<Result<void>> Stream::shutdown_write(Instant deadline) {
  if (!is_open()) co_return fail(Errc::kClosed);
  while (impl_->tls_agreed && !impl_->tls_failed) {
    ERR_clear_error();
    const Impl::TlsStep step = impl_->step_of(SSL_shutdown(impl_->ssl.get()));
    if (step.result >= 0) break;
    CO_TRY_VOID(co_await impl_->wait_for(step, impl_->writing, "close_notify", deadline));
    if (!is_open()) co_return fail(Errc::kClosed);
  }
  if (::shutdown(impl_->fd, SHUT_WR) != 0) co_return fail(system_error(errno, "shutdown"));
  co_return Result<void>{};
}

Task<void> Stream::finish(Instant deadline) {
  // What the peer still sends is read and dropped: closing on it would answer with a reset, and a
  // reset takes what we wrote last out of the peer's hands.
  constexpr std::size_t kDroppedMax = 1 << 20;
  if (Result<void> ended = co_await shutdown_write(deadline); ended) {
    std::array<char, 4096> dropped;
    for (std::size_t total = 0; total < kDroppedMax;) {
      const Result<std::size_t> count = co_await read_some(dropped, deadline);
      if (!count || *count == 0) break;
      total += *count;
    }
  }
  close();
}

void Stream::close() {
  if (impl_ != nullptr) impl_->close();
}

void Stream::abort() {
  if (!is_open()) return;
  const linger hard{1, 0};
  ::setsockopt(impl_->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  impl_->tls_failed = true;  // no close_notify either
  impl_->close();
}

bool Stream::is_open() const {
  return impl_ != nullptr && impl_->fd >= 0;
}

const Address& Stream::remote() const {
  static const Address kNone;
  return impl_ != nullptr ? impl_->remote : kNone;
}

const Address& Stream::local() const {
  static const Address kNone;
  return impl_ != nullptr ? impl_->local_address() : kNone;
}

// --- connect -------------------------------------------------------------------------------------

namespace {

Result<void> bind_source(int fd, const Address& local) {
  const int on = 1;
  // The port is chosen when the remote is known: ip(7), IP_BIND_ADDRESS_NO_PORT.
  if (local.port == 0) ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  SocketAddress name = SocketAddress::of(local);
  if (::bind(fd, name.get(), name.length) != 0) {
    return fail(system_error(errno, "from " + local.to_text()));
  }
  return {};
}

}  // namespace

Task<Result<Stream>> connect(async::Shard& shard, Address remote, std::optional<Address> local,
                             Instant deadline, async::StopSignal* stop) {
  if (stop != nullptr && stop->requested()) co_return fail(Errc::kClosed, remote.to_text());
  CO_TRY(Fd fd, open_tcp(remote.ip.family()));
  if (local) CO_TRY_VOID(bind_source(fd.get(), *local));
  SocketAddress name = SocketAddress::of(remote);
  const int started = ::connect(fd.get(), name.get(), name.length) == 0 ? 0 : errno;
  if (started != 0 && started != EINPROGRESS && started != EINTR) {
    co_return fail(system_error(started, remote.to_text()));
  }
  Stream stream = Stream::of_tcp(shard, fd.release(), remote);
  if (started != 0) {
    std::optional<async::StopSignal::Callback> on_stop;
    if (stop != nullptr) on_stop.emplace(*stop, [&stream] { stream.close(); });
    if (Result<void> ready = co_await stream.impl_->wait(stream.impl_->writing, deadline); !ready) {
      co_return fail(std::move(ready).error().within(remote.to_text()));
    }
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(stream.impl_->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) co_return fail(system_error(error, remote.to_text()));
  }
  co_return Result<Stream>(std::move(stream));
}

}  // namespace godwit::net
