#include "common/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

namespace godwit::net {
namespace {

struct ScopedRange {
  std::array<std::uint8_t, 16> base;
  std::uint8_t bits;
  Scope scope;
};

// IANA's special-purpose registries; the first match decides.
constexpr ScopedRange kV4[] = {
    {{0}, 8, Scope::kUnspecified},
    {{127}, 8, Scope::kLoopback},
    {{10}, 8, Scope::kPrivate},
    {{172, 16}, 12, Scope::kPrivate},
    {{192, 168}, 16, Scope::kPrivate},
    {{100, 64}, 10, Scope::kPrivate},
    {{169, 254}, 16, Scope::kLinkLocal},
    {{224}, 4, Scope::kMulticast},
    {{255, 255, 255, 255}, 32, Scope::kMulticast},
    {{192, 0, 0}, 24, Scope::kReserved},
    {{192, 0, 2}, 24, Scope::kReserved},
    {{198, 51, 100}, 24, Scope::kReserved},
    {{203, 0, 113}, 24, Scope::kReserved},
    {{198, 18}, 15, Scope::kReserved},
    {{192, 88, 99}, 24, Scope::kReserved},
    {{240}, 4, Scope::kReserved},
};

constexpr ScopedRange kV6[] = {
    {{}, 128, Scope::kUnspecified},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, Scope::kLoopback},
    {{0xfc}, 7, Scope::kPrivate},
    {{0xfe, 0x80}, 10, Scope::kLinkLocal},
    {{0xff}, 8, Scope::kMulticast},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, Scope::kReserved},  // documentation
    {{0x3f, 0xff}, 20, Scope::kReserved},              // documentation, RFC 9637
    {{0x20, 0x01, 0, 0}, 23, Scope::kReserved},        // protocol assignments, Teredo among them
    {{0x20, 0x02}, 16, Scope::kReserved},              // 6to4, RFC 7526: hides any IPv4 address
    {{0x20}, 3, Scope::kGlobal},
};

bool in_range(std::span<const std::uint8_t> address, std::span<const std::uint8_t> base,
              unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(base.begin(), base.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - bits % 8));
  return (address[whole] & mask) == (base[whole] & mask);
}

std::span<const std::uint8_t> as_span(const IpAddress& address) {
  return {reinterpret_cast<const std::uint8_t*>(address.octets().data()), address.octets().size()};
}

// Digits only, no sign, no leading zero beyond "0" itself.
template <class Number>
std::optional<Number> number_from(std::string_view text, Number most) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  if (value > most) return std::nullopt;
  return value;
}

// The first 12 octets of an IPv4 address mapped into IPv6, RFC 4291 s2.5.5.2.
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// And translated by NAT64, RFC 6052: as far as the address behind it.
constexpr std::array<std::uint8_t, 12> kNat64Prefix = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

}  // namespace

std::optional<IpAddress> IpAddress::from_text(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(terminated.data(), text.data(), text.size());
  std::array<char, 16> octets{};
  if (::inet_pton(AF_INET, terminated.data(), octets.data()) == 1)
    return from_octets({octets.data(), 4});
  if (::inet_pton(AF_INET6, terminated.data(), octets.data()) == 1)
    return from_octets({octets.data(), 16});
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::from_octets(std::string_view octets) {
  IpAddress result;
  if (octets.size() == 16) {
    if (std::memcmp(octets.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0) {
      return from_octets(octets.substr(12));
    }
    result.family_ = Family::kIpv6;
  } else if (octets.size() != 4) {
    return std::nullopt;
  }
  std::memcpy(result.octets_.data(), octets.data(), octets.size());
  return result;
}

IpAddress IpAddress::any(Family family) {
  IpAddress result;
  result.family_ = family;
  return result;
}

IpAddress IpAddress::loopback(Family family) {
  IpAddress result = any(family);
  if (family == Family::kIpv4) {
    result.octets_ = {127, 0, 0, 1};
  } else {
    result.octets_[15] = 1;
  }
  return result;
}

Scope IpAddress::scope() const {
  if (is_v6() && in_range(octets_, kNat64Prefix, 96))
    return from_octets(octets().substr(12))->scope();
  const std::span<const ScopedRange> ranges = is_v4() ? std::span<const ScopedRange>(kV4) : kV6;
  for (const ScopedRange& range : ranges) {
    if (in_range(octets_, range.base, range.bits)) return range.scope;
  }
  // IPv4 is global unless set aside; of IPv6 only 2000::/3 is given out.
  return is_v4() ? Scope::kGlobal : Scope::kReserved;
}

std::string IpAddress::to_text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4()) {  // for each message: inet_ntop() would have printf() do it
    char* at = text.data();
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) *at++ = '.';
      at = std::to_chars(at, text.data() + text.size(), octets_[i]).ptr;
    }
    return {text.data(), at};
  }
  ::inet_ntop(AF_INET6, octets_.data(), text.data(), text.size());
  return text.data();
}

std::string IpAddress::to_literal() const {
  return (is_v4() ? "[" : "[IPv6:") + to_text() + "]";
}

std::optional<Address> Address::from_text(std::string_view text,
                                          std::optional<std::uint16_t> default_port) {
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;  // brackets are for IPv6
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return std::nullopt;
      port = rest.substr(1);
    }
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (colon != std::string_view::npos && !default_port) {
    return std::nullopt;  // IPv6 without brackets: where would the port begin?
  }
  const std::optional<IpAddress> ip = IpAddress::from_text(host);
  if (!ip) return std::nullopt;
  if (!port) return default_port ? std::optional(Address{*ip, *default_port}) : std::nullopt;
  const auto number = number_from<std::uint32_t>(*port, 65535);
  if (!number) return std::nullopt;
  return Address{*ip, static_cast<std::uint16_t>(*number)};
}

std::string Address::to_text() const {
  const std::string host = ip.to_text();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::optional<Network> Network::from_text(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<IpAddress> base = IpAddress::from_text(text.substr(0, slash));
  if (!base) return std::nullopt;
  const unsigned all = base->is_v4() ? 32 : 128;
  Network result;
  result.base_ = *base;
  result.bits_ = static_cast<std::uint8_t>(all);
  if (slash == std::string_view::npos) return result;
  const auto bits = number_from<unsigned>(text.substr(slash + 1), all);
  if (!bits) return std::nullopt;
  result.bits_ = static_cast<std::uint8_t>(*bits);
  const auto octets = as_span(result.base_);
  for (unsigned bit = *bits; bit < all; ++bit) {
    if ((octets[bit / 8] & (0x80U >> (bit % 8))) != 0) return std::nullopt;
  }
  return result;
}

bool Network::contains(const IpAddress& address) const {
  return address.family() == base_.family() && in_range(as_span(address), as_span(base_), bits_);
}

std::string Network::to_text() const {
  return base_.to_text() + "/" + std::to_string(bits_);
}

}  // namespace godwit::net
