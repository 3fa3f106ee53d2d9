#include "common/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/net/errc.h"

namespace godwit::net {
namespace {

Errc errc_of(int code) {
  switch (code) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: return Errc::kReset;
    case ECONNREFUSED: return Errc::kRefused;
    case ETIMEDOUT: return Errc::kTimeout;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT: return Errc::kUnreachable;
    case EADDRNOTAVAIL: return Errc::kAddressUnavailable;
    case EADDRINUSE: return Errc::kAddressInUse;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN: return Errc::kResources;  // connect(): no port left
    default: return Errc::kIo;
  }
}

}  // namespace

Error system_error(int code, std::string context) {
  const Errc errc = errc_of(code);
  if (errc == Errc::kIo) context += ": " + std::generic_category().message(code);
  return Error{errc, std::move(context)};
}

Address SocketAddress::address() const {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    const std::string_view octets(reinterpret_cast<const char*>(&v4.sin_addr), 4);
    return {*IpAddress::from_octets(octets), ntohs(v4.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    const std::string_view octets(reinterpret_cast<const char*>(&v6.sin6_addr), 16);
    return {*IpAddress::from_octets(octets), ntohs(v6.sin6_port)};
  }
  return {};
}

SocketAddress SocketAddress::of(const Address& address) {
  SocketAddress result;
  const std::string_view octets = address.ip.octets();
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, octets.data(), octets.size());
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.length = sizeof v6;
  }
  return result;
}

void Fd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old >= 0) ::close(old);
}

Result<Fd> open_tcp(Family family) {
  const int domain = family == Family::kIpv4 ? AF_INET : AF_INET6;
  Fd fd(::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(system_error(errno, "socket"));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace godwit::net
