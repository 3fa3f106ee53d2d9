#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "common/net/socket.h"
#include "common/net/stream.h"
#include "common/net/stream_impl.h"

namespace godwit::net {

using async::Task;

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
