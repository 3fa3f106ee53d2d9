#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace godwit::bench {

// The outside end of a connection: one half of a pair of sockets, without TCP and without waiting.
// What it costs is the kernel's, or counted by nobody (Counted).
class Wire {
 public:
  // Whoever serves the other end takes it by other().
  Wire() {
    int ends[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
          "socketpair: {}", errno);
    end_ = ends[0];
    other_ = ends[1];
    // How much one write takes depends on it: the same on every machine.
    constexpr int kBytes = 96 * 1024;
    for (const int end : ends) {
      CHECK(::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kBytes, sizeof kBytes) == 0, "{}", errno);
    }
  }
  Wire(Wire&& from) noexcept
      : end_(std::exchange(from.end_, -1)), other_(std::exchange(from.other_, -1)) {}
  Wire& operator=(Wire&&) = delete;
  ~Wire() {
    if (end_ >= 0) ::close(end_);
  }

  [[nodiscard]] int other() { return std::exchange(other_, -1); }

  void send(std::string_view octets) const {
    CHECK(::send(end_, octets.data(), octets.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(octets.size()),
          "send: {}", errno);
  }
  // Adds what is there; how much that was.
  std::size_t receive(std::string& into) const {
    const std::size_t had = into.size();
    std::array<char, 16 * 1024> buffer;
    for (ssize_t got; (got = ::recv(end_, buffer.data(), buffer.size(), 0)) > 0;)
      into.append(buffer.data(), static_cast<std::size_t>(got));
    return into.size() - had;
  }

 private:
  int end_ = -1;
  int other_ = -1;
};

}  // namespace godwit::bench
