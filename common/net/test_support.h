#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/async/test_loop.h"
#include "common/net/socket.h"
#include "common/net/stream.h"

// What the tests of this folder share: connected pairs on loopback.
namespace godwit::net::testing {

using namespace std::chrono_literals;

// Generous: only reached when something hangs.
inline Instant soon() {
  return std::chrono::steady_clock::now() + 30s;
}
inline Instant in(Duration duration) {
  return std::chrono::steady_clock::now() + duration;
}

// A blocking socket that listens on a free port of 127.0.0.1.
class RawListener {
 public:
  explicit RawListener(int backlog = 16) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SocketAddress name = SocketAddress::of({IpAddress::loopback(), 0});
    EXPECT_EQ(::bind(fd_.get(), name.get(), name.length), 0);
    EXPECT_EQ(::listen(fd_.get(), backlog), 0);
    ::getsockname(fd_.get(), name.get(), &name.length);
    address_ = name.address();
  }
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] int accept() const { return ::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC); }

 private:
  Fd fd_;
  Address address_;
};

// A blocking socket connected to `address`.
inline Fd connect_raw(const Address& address) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress name = SocketAddress::of(address);
  EXPECT_EQ(::connect(fd.get(), name.get(), name.length), 0);
  return fd;
}

// Two ends of one TCP connection.
struct Pair {
  explicit Pair(async::Shard& shard) {
    const RawListener listener;
    Fd fd = connect_raw(listener.address());
    client = Stream(shard, fd.release());
    server = Stream(shard, listener.accept());
  }
  Stream client;
  Stream server;
};

// One end of a TCP connection, and the bare other end.
struct HalfPair {
  explicit HalfPair(async::Shard& shard) {
    const RawListener listener;
    peer = connect_raw(listener.address());
    stream = Stream(shard, listener.accept());
  }
  // The peer breaks the connection: the other side sees a reset.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    peer.reset();
  }
  void say(std::string_view text) const {
    ASSERT_EQ(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  Stream stream;
  Fd peer;
};

// Reads until `size` octets are there, or the end.
inline async::Task<Result<std::string>> read_exactly(Stream& stream, std::size_t size,
                                                     Instant deadline) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    CO_TRY(const std::size_t count,
           co_await stream.read_some({text.data() + have, size - have}, deadline));
    if (count == 0) break;
    have += count;
  }
  text.resize(have);
  co_return text;
}

template <class T>
std::error_code code_of(const Result<T>& result) {
  return result ? std::error_code() : result.error().code;
}

}  // namespace godwit::net::testing
