#include "common/net/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/net/errc.h"

namespace godwit::net {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kTextSignature = "PROXY ";
constexpr std::string_view kBinarySignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kBinaryHeadBytes = 16;  // signature, version and command, family, length

enum class BinaryCommand : std::uint8_t { kLocal = 0x20, kProxy = 0x21 };
enum class BinaryFamily : std::uint8_t {  // and transport
  kUnspecified = 0x00,
  kTcp4 = 0x11,
  kTcp6 = 0x21,
  kUnix = 0x31,
};
constexpr std::uint8_t kTlvCrc32c = 0x03;

std::unexpected<Error> wrong(std::string what) {
  return fail(Errc::kInvalid, "PROXY header: " + std::move(what));
}

bool begins_alike(std::string_view octets, std::string_view signature) {
  const std::size_t common = std::min(octets.size(), signature.size());
  return octets.substr(0, common) == signature.substr(0, common);
}

std::uint8_t octet_at(std::string_view octets, std::size_t at) {
  return static_cast<std::uint8_t>(octets[at]);
}
std::uint16_t number_at(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(octet_at(octets, at) << 8 | octet_at(octets, at + 1));
}
void append_number(std::string& octets, std::uint16_t number) {
  octets += static_cast<char>(number >> 8);
  octets += static_cast<char>(number & 0xff);
}

// Section 2.1: decimal, no zeros in front.
std::optional<std::uint16_t> port_of(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// Written as that family is: ::ffff:192.0.2.1 stands in a line of TCP6, and is IPv4 to us.
std::optional<IpAddress> ip_of(std::string_view text, Family family) {
  const bool colons = text.find(':') != std::string_view::npos;
  if (colons != (family == Family::kIpv6)) return std::nullopt;
  return IpAddress::from_text(text);
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t space = line.find(' ');
    fields.push_back(line.substr(0, space));
    if (space == std::string_view::npos) return fields;
    line.remove_prefix(space + 1);
  }
}

}  // namespace

Result<void> ProxyHeaderReader::take(std::string_view octets) {
  CHECK(octets.size() <= wanted_, "{} octets taken, {} wanted", octets.size(), wanted_);
  octets_ += octets;
  wanted_ -= octets.size();
  const bool text = begins_alike(octets_, kTextSignature);
  if (!text && !begins_alike(octets_, kBinarySignature)) return wrong("there is none");
  if (octets_.size() < kBinarySignature.size()) return {};
  return text ? take_text() : take_binary();
}

Result<void> ProxyHeaderReader::take_text() {
  const std::size_t end = octets_.find('\r');
  if (end == std::string::npos || end + 1 == octets_.size()) {
    // What is left of a line at least: its end, and of TCP4 and TCP6 a space and an octet for each
    // field that has not begun.
    constexpr std::ptrdiff_t kSpaces = 5;
    std::size_t least = end == std::string::npos ? 2 : 1;
    if (octets_.size() + least > kProxyV1BytesMax) return wrong("line too long");
    if (end == std::string::npos && octets_.starts_with("PROXY TCP")) {
      const std::ptrdiff_t left = kSpaces - std::ranges::count(octets_, ' ');
      least += 2 * static_cast<std::size_t>(std::max<std::ptrdiff_t>(left, 0));
    }
    wanted_ = std::min(least, kProxyV1BytesMax - octets_.size());
    return {};
  }
  wanted_ = 0;
  if (octets_.substr(end) != "\r\n") return wrong("line not ended by CRLF");
  return parse_line(std::string_view(octets_).substr(0, end));
}

Result<void> ProxyHeaderReader::parse_line(std::string_view line) {
  const std::vector<std::string_view> fields = fields_of(line);
  // Whatever stands behind UNKNOWN is to be ignored.
  if (fields.size() >= 2 && fields[1] == "UNKNOWN") return {};
  if (fields.size() != 6) return wrong("a line of another form");
  const bool v4 = fields[1] == "TCP4";
  if (!v4 && fields[1] != "TCP6") return wrong("unknown protocol");
  const Family family = v4 ? Family::kIpv4 : Family::kIpv6;
  const auto source = ip_of(fields[2], family);
  const auto destination = ip_of(fields[3], family);
  const auto source_port = port_of(fields[4]);
  const auto destination_port = port_of(fields[5]);
  if (!source || !destination) return wrong("not an address of its family");
  if (!source_port || !destination_port) return wrong("not a port");
  ends_ = {{*source, *source_port}, {*destination, *destination_port}};
  return {};
}

Result<void> ProxyHeaderReader::take_binary() {
  if (octets_.size() < kBinaryHeadBytes) {
    wanted_ = kBinaryHeadBytes - octets_.size();
    return {};
  }
  const std::size_t size = kBinaryHeadBytes + number_at(octets_, 14);
  const auto command = static_cast<BinaryCommand>(octet_at(octets_, 12));
  if (command != BinaryCommand::kLocal && command != BinaryCommand::kProxy)
    return wrong("unknown version or command");
  if (size > kProxyV2BytesMax) return wrong("too long");
  wanted_ = size - octets_.size();
  // Of LOCAL family and addresses are to be ignored.
  if (wanted_ > 0 || command == BinaryCommand::kLocal) return {};
  return parse_block(octet_at(octets_, 13));
}

Result<void> ProxyHeaderReader::parse_block(std::uint8_t family) {
  std::size_t ip_bytes = 0;
  std::size_t block_bytes = 0;
  switch (static_cast<BinaryFamily>(family)) {
    case BinaryFamily::kUnspecified: return {};
    case BinaryFamily::kTcp4:
      ip_bytes = 4;
      block_bytes = 12;
      break;
    case BinaryFamily::kTcp6:
      ip_bytes = 16;
      block_bytes = 36;
      break;
    case BinaryFamily::kUnix: block_bytes = 216; break;
    default: return wrong("neither TCP nor a stream of this machine");
  }
  if (octets_.size() < kBinaryHeadBytes + block_bytes) return wrong("too short for its addresses");
  if (ip_bytes > 0) {
    const std::string_view block = std::string_view(octets_).substr(kBinaryHeadBytes, block_bytes);
    ends_ = {{*IpAddress::from_octets(block.substr(0, ip_bytes)), number_at(block, 2 * ip_bytes)},
             {*IpAddress::from_octets(block.substr(ip_bytes, ip_bytes)),
              number_at(block, 2 * ip_bytes + 2)}};
  }
  return check_tlvs(kBinaryHeadBytes + block_bytes);
}

Result<void> ProxyHeaderReader::check_tlvs(std::size_t at) const {
  constexpr std::size_t kHeadBytes = 3;
  while (at < octets_.size()) {
    if (octets_.size() - at < kHeadBytes) return wrong("a TLV is cut short");
    const std::size_t value = at + kHeadBytes;
    const std::size_t size = number_at(octets_, at + 1);
    if (octets_.size() - value < size) return wrong("a TLV is cut short");
    if (octet_at(octets_, at) == kTlvCrc32c) {
      if (size != 4) return wrong("a CRC32C of another size");
      const std::string_view all = octets_;
      const std::uint32_t said =
          std::uint32_t{number_at(all, value)} << 16 | number_at(all, value + 2);
      // Section 2.2.3: of the whole header, with zeros in its own place.
      std::uint32_t crc = crc32c(all.substr(0, value));
      crc = crc32c("\0\0\0\0"sv, crc);
      crc = crc32c(all.substr(value + size), crc);
      if (crc != said) return wrong("its CRC32C is wrong");
    }
    at = value + size;
  }
  return {};
}

std::string proxy_v2_header(const ProxiedEnds& ends) {
  const IpAddress& source = ends.source.ip;
  const IpAddress& destination = ends.destination.ip;
  CHECK(source.family() == destination.family(), "both ends are of one family");
  const auto family = source.is_v4() ? BinaryFamily::kTcp4 : BinaryFamily::kTcp6;
  std::string header(kBinarySignature);
  header += static_cast<char>(BinaryCommand::kProxy);
  header += static_cast<char>(family);
  append_number(header, source.is_v4() ? 12 : 36);
  header.append(source.octets()).append(destination.octets());
  append_number(header, ends.source.port);
  append_number(header, ends.destination.port);
  return header;
}

}  // namespace godwit::net
