#include "common/net/poller.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/base/check.h"

namespace godwit::net {
namespace {

constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kBoth = kReading | EPOLLOUT;

}  // namespace

Poller& Poller::of(async::Shard& shard) {
  return async::asio::use_service<Poller>(shard.executor().context());
}

// Waits in the shard's own set for the events of ours. An operation of Asio's reactor, and not a
// descriptor's async_wait(), because that begins with a system call; here none is needed: whoever is
// told takes all there is, and a change that comes before the next wait() ends it at once.
struct Poller::Turn final : async::asio::detail::reactor_op {
  using Reactor = async::asio::detail::epoll_reactor;

  Turn(Poller& owner, async::asio::execution_context& context, int fd)
      : reactor_op({}, perform, complete),
        poller(owner),
        reactor(async::asio::use_service<Reactor>(context)),
        epoll(fd) {
    reactor.init_task();
    const int error = reactor.register_descriptor(epoll, state);
    CHECK(error == 0, "epoll_ctl: {}", error);
  }

  void wait() {
    constexpr bool kContinuation = false;
    constexpr bool kAtOnceIfChanged = true;
    reactor.start_op(Reactor::read_op, epoll, state, this, kContinuation, kAtOnceIfChanged);
  }
  void end() {
    if (state == nullptr) return;
    reactor.deregister_descriptor(epoll, state, /*closing=*/false);
    reactor.cleanup_descriptor_data(state);
    state = nullptr;
  }

  static status perform(reactor_op* /*turn*/) { return done_and_exhausted; }
  // Without an owner when the shard is gone.
  static void complete(void* owner, async::asio::detail::operation* base,
                       const boost::system::error_code& /*error*/, std::size_t /*bytes*/) {
    auto& turn = *static_cast<Turn*>(base);
    if (owner != nullptr && turn.state != nullptr) turn.poller.take();
  }

  Poller& poller;
  Reactor& reactor;
  const int epoll;
  Reactor::per_descriptor_data state{};
};

Poller::Poller(async::asio::execution_context& context)
    : async::asio::execution_context::service(context),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      turn_(std::make_unique<Turn>(*this, context, epoll_.get())) {
  turn_->wait();
}

Poller::~Poller() = default;

void Poller::shutdown() {
  turn_->end();
}

bool Poller::add(int fd, Socket& socket) {
  epoll_event event{.events = kReading, .data = {.ptr = &socket}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::watch_writing(int fd, Socket& socket) {
  epoll_event event{.events = kBoth, .data = {.ptr = &socket}};
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0, "errno {}", errno);
}

// Not left to close(): where a child process was just forked the socket has another descriptor.
void Poller::remove(int fd, Socket& socket) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (epoll_event& event : left_) {
    if (event.data.ptr == &socket) event.data.ptr = nullptr;
  }
}

// One batch; others of the shard have their turn before the next.
void Poller::take() {
  const int count =
      ::epoll_wait(epoll_.get(), batch_.data(), static_cast<int>(batch_.size()), /*timeout=*/0);
  left_ = std::span(batch_).first(static_cast<std::size_t>(std::max(count, 0)));
  const bool more = left_.size() == batch_.size();
  while (!left_.empty()) {
    const epoll_event event = left_.front();
    left_ = left_.subspan(1);
    if (event.data.ptr != nullptr) static_cast<Socket*>(event.data.ptr)->ready(event.events);
  }
  if (more) {  // of which nobody will tell again
    async::asio::post(static_cast<async::asio::io_context&>(context()), [this] { take(); });
  } else {
    turn_->wait();
  }
}

}  // namespace godwit::net
