#include "common/net/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "common/async/event.h"
#include "common/async/gate.h"
#include "common/net/errc.h"
#include "common/net/socket.h"

namespace godwit::net {

using async::Shard;
using async::Task;

struct Listener::Impl {
  // The listening socket of one shard.
  struct Acceptor {
    Acceptor(Shard& owner, Fd fd)
        : shard(owner), socket(fd.get()), descriptor(owner.executor(), fd.release()) {}
    Shard& shard;
    int socket;
    async::Descriptor descriptor;
    async::Event retry;  // a connection ended, or accepting shall stop
    bool stopped = false;
  };

  Impl(ListenOptions listen_options, Handler session_handler)
      : options(listen_options), handler(std::move(session_handler)) {}

  Task<void> accept_loop(Acceptor& acceptor);
  // Takes what waits, a bounded number at a time. False: out of resources.
  bool accept_some(Acceptor& acceptor);
  Task<void> serve(Acceptor& acceptor, Stream stream);
  [[nodiscard]] bool full() const {
    return options.connections_max != 0 && sessions.count() >= options.connections_max;
  }

  const ListenOptions options;
  const Handler handler;
  Address local;
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  std::atomic<bool> started = false;
  std::atomic<bool> stopping = false;
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> pauses = 0;
  async::Gate loops;
  async::Gate sessions;
};

namespace {

// How many connections one shard takes before others of its tasks run.
constexpr int kAcceptBatch = 64;

Result<Fd> open_listening(const Address& address, int backlog) {
  TRY(Fd fd, open_tcp(address.ip.family()));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.ip.is_v6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  SocketAddress name = SocketAddress::of(address);
  if (::bind(fd.get(), name.get(), name.length) != 0 || ::listen(fd.get(), backlog) != 0) {
    return fail(system_error(errno, "listen on " + address.to_text()));
  }
  return fd;
}

bool lacks_resources(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

}  // namespace

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Listener::~Listener() = default;

Result<std::unique_ptr<Listener>> Listener::open(async::Shards& shards, Address address,
                                                 ListenOptions options, Handler handler) {
  auto impl = std::make_unique<Impl>(options, std::move(handler));
  {
    // With SO_REUSEPORT a second process of the same user would bind, too, and take half of the
    // mail. A socket without it finds out whether anybody is there.
    TRY(Fd probe, open_tcp(address.ip.family()));
    const int on = 1;
    ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ip.is_v6()) ::setsockopt(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    SocketAddress name = SocketAddress::of(address);
    if (::bind(probe.get(), name.get(), name.length) != 0) {
      return fail(system_error(errno, "listen on " + address.to_text()));
    }
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    TRY(Fd fd, open_listening(address, options.backlog));
    if (address.port == 0) {  // the others share what the first was given
      SocketAddress name;
      if (::getsockname(fd.get(), name.get(), &name.length) != 0)
        return fail(system_error(errno, "getsockname"));
      address = name.address();
    }
    impl->acceptors.push_back(std::make_unique<Impl::Acceptor>(shards.at(i), std::move(fd)));
  }
  impl->local = address;
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

void Listener::start() {
  impl_->started = true;
  for (const auto& acceptor : impl_->acceptors) {
    acceptor->shard.spawn(impl_->accept_loop(*acceptor), impl_->loops);
  }
}

void Listener::stop_accepting() {
  if (impl_->stopping.exchange(true) || !impl_->started) return;
  for (const auto& acceptor : impl_->acceptors) {
    // The acceptor lives until drained(), which waits for this too.
    acceptor->shard.post([&acceptor = *acceptor, pass = impl_->loops.try_enter()] {
      acceptor.stopped = true;
      boost::system::error_code ignored;
      acceptor.descriptor.close(ignored);
      acceptor.retry.notify();
    });
  }
}

Task<void> Listener::drained() {
  co_await impl_->loops.close();
  co_await impl_->sessions.close();
}

void Listener::wait_drained() {
  impl_->loops.close_and_wait();
  impl_->sessions.close_and_wait();
}

const Address& Listener::local() const {
  return impl_->local;
}
std::size_t Listener::connections() const {
  return impl_->sessions.count();
}
std::uint64_t Listener::accepted_total() const {
  return impl_->accepted;
}
std::uint64_t Listener::pauses_total() const {
  return impl_->pauses;
}

Task<void> Listener::Impl::accept_loop(Acceptor& acceptor) {
  while (!acceptor.stopped) {
    if (full()) {
      // Woken when one of this shard's ends; those of other shards are looked for.
      co_await acceptor.retry.wait(acceptor.shard.now() + kResourcePause);
      continue;
    }
    const auto [error] =
        co_await acceptor.descriptor.async_wait(async::Descriptor::wait_read, async::kAwaitTuple);
    if (acceptor.stopped) break;
    if (error || !accept_some(acceptor)) {
      ++pauses;
      co_await acceptor.retry.wait(acceptor.shard.now() + kResourcePause);
    }
  }
}

bool Listener::Impl::accept_some(Acceptor& acceptor) {
  for (int i = 0; i < kAcceptBatch && !full(); ++i) {
    SocketAddress peer;
    Fd fd(::accept4(acceptor.socket, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      // Anything else belongs to the connection that failed while it waited (accept(2)): the next
      // one, then.
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      if (lacks_resources(errno)) return false;
      continue;
    }
    ++accepted;
    // TCP_NODELAY comes from the listening socket.
    Stream stream = Stream::of_tcp(acceptor.shard, fd.release(), peer.address());
    // A frame less for each connection where nobody waits for one to end.
    async::Task<void> session = options.connections_max == 0
                                    ? handler(acceptor.shard, std::move(stream))
                                    : serve(acceptor, std::move(stream));
    acceptor.shard.spawn(std::move(session), sessions);
  }
  return true;
}

Task<void> Listener::Impl::serve(Acceptor& acceptor, Stream stream) {
  co_await handler(acceptor.shard, std::move(stream));
  acceptor.retry.notify();
}

}  // namespace godwit::net
