#pragma once

#include <sys/socket.h>

#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/net/address.h"

// What is shared by streams and listeners below their interfaces: the system's errors and
// addresses.
namespace godwit::net {

// The operating system's error as one of ours; the context gets its text.
[[nodiscard]] Error system_error(int code, std::string context);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  // 0.0.0.0:0 for anything that is not TCP/IP (a socketpair).
  [[nodiscard]] Address address() const;
  [[nodiscard]] static SocketAddress of(const Address& address);
};

// A descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// A non-blocking TCP socket of the address's family, TCP_NODELAY set.
[[nodiscard]] Result<Fd> open_tcp(Family family);

}  // namespace godwit::net
