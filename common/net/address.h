#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::net {

enum class Family : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

// What an address is good for. Mail from MX records goes to kGlobal only: loopback,
// private, link-local and own ranges are refused; static routes may name any.
enum class Scope : std::uint8_t {
  kGlobal,
  kUnspecified,  // 0.0.0.0/8, ::
  kLoopback,     // 127.0.0.0/8, ::1
  kPrivate,      // RFC 1918, RFC 6598 (100.64.0.0/10), RFC 4193 (fc00::/7)
  kLinkLocal,    // 169.254.0.0/16, fe80::/10
  kMulticast,    // 224.0.0.0/4, ff00::/8, and broadcast
  kReserved,  // documentation, benchmarking, 240.0.0.0/4, discard and other ranges nobody can route
};

// An IP address, without a port. A value: 17 octets, no allocation, no name resolution.
// IPv4 mapped into IPv6 (::ffff:a.b.c.d) is turned into IPv4 where it enters: one host has one
// form.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  // "192.0.2.1", "2001:db8::1"; no brackets, no zone, no port.
  [[nodiscard]] static std::optional<IpAddress> from_text(std::string_view text);
  // 4 or 16 octets in network order, as in A and AAAA records.
  [[nodiscard]] static std::optional<IpAddress> from_octets(std::string_view octets);
  [[nodiscard]] static IpAddress any(Family family);
  [[nodiscard]] static IpAddress loopback(Family family = Family::kIpv4);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::kIpv4; }
  [[nodiscard]] bool is_v6() const { return family_ == Family::kIpv6; }
  [[nodiscard]] Scope scope() const;
  [[nodiscard]] bool is_loopback() const { return scope() == Scope::kLoopback; }
  [[nodiscard]] bool is_global() const { return scope() == Scope::kGlobal; }
  [[nodiscard]] std::string_view octets() const {
    return {reinterpret_cast<const char*>(octets_.data()), is_v4() ? 4U : 16U};
  }
  // RFC 5952 form for IPv6.
  [[nodiscard]] std::string to_text() const;
  // "[192.0.2.1]" and "[IPv6:2001:db8::1]": RFC 5321 s4.1.3, for EHLO and Received.
  [[nodiscard]] std::string to_literal() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, 16> octets_{};
};

// An IP address and a TCP port.
struct Address {
  IpAddress ip;
  std::uint16_t port = 0;

  // "192.0.2.1:25", "[2001:db8::1]:25". Without a port `default_port` is taken when given.
  [[nodiscard]] static std::optional<Address> from_text(
      std::string_view text, std::optional<std::uint16_t> default_port = {});
  [[nodiscard]] std::string to_text() const;
  auto operator<=>(const Address&) const = default;
};

// A range of addresses: "127.0.0.0/8", "2001:db8::/32"; an address alone is a range of one.
class Network {
 public:
  // Host bits that are set are an error: "10.0.0.1/8" is more likely a mistake than a range.
  [[nodiscard]] static std::optional<Network> from_text(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string to_text() const;
  auto operator<=>(const Network&) const = default;

 private:
  IpAddress base_;
  std::uint8_t bits_ = 32;
};

}  // namespace godwit::net

template <>
struct std::hash<godwit::net::IpAddress> {
  std::size_t operator()(const godwit::net::IpAddress& address) const noexcept {
    return std::hash<std::string_view>{}(address.octets());
  }
};
template <>
struct std::hash<godwit::net::Address> {
  std::size_t operator()(const godwit::net::Address& address) const noexcept {
    return std::hash<godwit::net::IpAddress>{}(address.ip) * 65599 + address.port;
  }
};
