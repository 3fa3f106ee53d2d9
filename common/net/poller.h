#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "common/async/asio.h"
#include "common/async/shard.h"
#include "common/net/socket.h"

namespace godwit::net {

// Says when the sockets of a shard become ready: an epoll set of our own, edge-triggered, inside the
// shard's. Asio's descriptors cost a system call each time one waits, and half a kilobyte a connection.
//
// Ordering   one event for each change of a socket; who was told reads or writes until the kernel
//            has no more (EAGAIN, or less than was asked for), or asks again itself
// Memory     nothing for a socket; one batch of events
// Threads    belongs to its shard
// Lifecycle  made with the first socket of a shard, gone with the shard; sockets remove themselves
class Poller final : public async::asio::execution_context::service {
 public:
  // What is told. Stays where it is while it is watched.
  class Socket {
   public:
    // EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR. May remove and destroy any socket.
    virtual void ready(std::uint32_t events) = 0;

   protected:
    ~Socket() = default;
  };

  [[nodiscard]] static Poller& of(async::Shard& shard);

  // Watches for what can be read. False: the kernel has no room for it.
  [[nodiscard]] bool add(int fd, Socket& socket);
  // From now on also for room to write; ready() follows at once where there is some.
  void watch_writing(int fd, Socket& socket);
  // Before `fd` is closed: no event that was fetched already is told.
  void remove(int fd, Socket& socket);

  static inline async::asio::execution_context::id id;  // NOLINT: Asio finds the service by it
  explicit Poller(async::asio::execution_context& context);
  ~Poller() override;

 private:
  struct Turn;

  void shutdown() override;
  void take();

  Fd epoll_;
  const std::unique_ptr<Turn> turn_;
  std::array<epoll_event, 64> batch_{};
  std::span<epoll_event> left_;  // of the batch, not told yet
};

}  // namespace godwit::net
