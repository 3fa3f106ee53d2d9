#include "common/net/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/async/asio.h"
#include "common/async/give_way.h"
#include "common/base/check.h"
#include "common/net/pieces.h"
#include "common/net/socket.h"
#include "common/net/stream_impl.h"

namespace godwit::net {

using async::Task;

// --- waiting -------------------------------------------------------------------------------------

Stream::Impl::Impl(async::Shard& owner, int socket, std::optional<Address> remote_address)
    : shard(owner), fd(socket) {
  if (!Poller::of(shard).add(
          fd, *this)) {  // epoll has no room for it: the stream is closed from the start
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
  Poller::of(shard).remove(fd, *this);
  ::close(std::exchange(fd, -1));
  wake(reading, Woken::kClosed);
  wake(writing, Woken::kClosed);
}

const Address& Stream::Impl::local_address() {
  if (!local) {
    SocketAddress name;
    local =
        fd >= 0 && ::getsockname(fd, name.get(), &name.length) == 0 ? name.address() : Address{};
  }
  return *local;
}

std::optional<Stream::Impl::Side::Waiter> Stream::Impl::Side::take() {
  std::optional<Waiter> taken;
  if (waiter) taken.emplace(*std::move(waiter));
  waiter.reset();
  cancel();
  return taken;
}

void Stream::Impl::ready(std::uint32_t events) {
  constexpr std::uint32_t kEnd = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  const bool in = (events & (EPOLLIN | kEnd)) != 0;
  const bool out = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
  ended = ended || (events & kEnd) != 0;
  reading.changed = reading.changed || in;
  writing.changed = writing.changed || out;
  // Who is resumed may close the stream, and does not know that the other has been told.
  std::optional<Side::Waiter> reader;
  std::optional<Side::Waiter> writer;
  if (in && reading.waiter) reader.emplace(*reading.take());
  if (out && writing.waiter) writer.emplace(*writing.take());
  if (reader) (*std::move(reader))(Woken::kReady);
  if (writer) (*std::move(writer))(Woken::kReady);
}

void Stream::Impl::wake(Side& side, Woken why) {
  std::optional<Side::Waiter> waiter = side.take();
  if (!waiter) return;
  const async::Executor executor = waiter->get_executor();
  async::asio::post(executor,
                    [waiter = *std::move(waiter), why]() mutable { std::move(waiter)(why); });
}

Result<void> Stream::Impl::before_wait(Side& side, Instant deadline) {
  if (fd < 0) return fail(Errc::kClosed);
  if (deadline <= shard.now()) return fail(Errc::kTimeout);
  CHECK(!side.waiter, "two tasks wait for one side of a stream");
  if (&side == &writing && !std::exchange(writable, true))
    Poller::of(shard).watch_writing(fd, *this);
  return {};
}

Task<Stream::Impl::Woken> Stream::Impl::suspend(Side& side, Instant deadline) {
  shard.set_timer(side, deadline);
  return async::asio::async_initiate<const async::UseAwaitable, void(Woken)>(
      [&side](Side::Waiter waiter) { side.waiter.emplace(std::move(waiter)); }, async::kAwait);
}

Result<void> Stream::Impl::after_wait(Side& side, Woken woken) {
  if (fd < 0) return fail(Errc::kClosed);
  if (woken == Woken::kExpired) return fail(Errc::kTimeout);
  if (&side == &reading) drained = false;
  side.changed = false;
  return {};
}

Task<Result<void>> Stream::Impl::wait(Side& side, Instant deadline) {
  CO_TRY_VOID(before_wait(side, deadline));
  Woken woken = Woken::kReady;
  if (!side.changed) {
    woken = co_await suspend(side, deadline);
    streak = 0;
  }
  co_return after_wait(side, woken);
}

bool Stream::Impl::must_give_way() {
  constexpr unsigned kStreakMax = 64;
  if (++streak < kStreakMax) return false;
  streak = 0;
  return true;
}

// --- in clear ------------------------------------------------------------------------------------

Task<Result<std::size_t>> Stream::Impl::read_clear(std::span<char> into, Instant deadline) {
  while (true) {
    if (fd < 0) co_return fail(Errc::kClosed);
    if (!drained) {
      reading.changed = false;
      const ssize_t count = ::recv(fd, into.data(), into.size(), 0);
      if (count >= 0) {
        // Less than asked for: the kernel has no more now, the next read waits at once.
        drained = !ended && count > 0 && static_cast<std::size_t>(count) < into.size();
        if (must_give_way()) co_await async::give_way();
        co_return static_cast<std::size_t>(count);
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return fail(system_error(errno, "read"));
    }
    CO_TRY_VOID(before_wait(reading, deadline));
    Woken woken = Woken::kReady;
    if (!reading.changed) {
      woken = co_await suspend(reading, deadline);
      streak = 0;
    }
    CO_TRY_VOID(after_wait(reading, woken));
  }
}

template <class Pieces>
Task<Result<void>> Stream::Impl::write_all(Pieces pieces, Instant deadline) {
  PieceCursor<Pieces> cursor(pieces);
  while (!cursor.done()) {
    if (fd < 0) co_return fail(Errc::kClosed);
    ssize_t sent = 0;
    if (ssl == nullptr) {
      std::array<iovec, 16> vectors;
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = cursor.fill(vectors);
      writing.changed = false;
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

// --- Stream --------------------------------------------------------------------------------------

Stream::Stream() = default;
Stream::Stream(async::Shard& shard, int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
  impl_ = std::make_unique<Impl>(shard, socket, std::nullopt);
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
  const bool known_empty = impl_->ssl == nullptr && impl_->drained && !impl_->reading.changed;
  if (!known_empty) impl_->drained = impl_->reading.changed = false;
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

void Stream::set_remote(const Address& client) {
  if (impl_ != nullptr) impl_->remote = client;
}

const Address& Stream::local() const {
  static const Address kNone;
  return impl_ != nullptr ? impl_->local_address() : kNone;
}

}  // namespace godwit::net
