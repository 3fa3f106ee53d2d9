#include "common/net/dns_wire.h"

#include <cstdint>

namespace godwit::net {
namespace {

constexpr std::size_t kLabelMax = 63;
constexpr std::size_t kNameMax = 253;  // in text; 255 on the wire

std::optional<char> host_character(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') return c;
  return std::nullopt;
}

std::uint8_t octet(char c) {
  return static_cast<std::uint8_t>(c);
}

}  // namespace

std::optional<std::string> dns_question_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kNameMax) return std::nullopt;
  std::string name;
  name.reserve(text.size());
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.') {
      if (label == 0) return std::nullopt;
      label = 0;
      name += c;
      continue;
    }
    const std::optional<char> taken = host_character(c);
    if (!taken || ++label > kLabelMax) return std::nullopt;
    name += *taken;
  }
  if (label == 0) return std::nullopt;
  return name;
}

std::optional<std::string> dns_name_from_wire(std::string_view wire) {
  std::string name;
  while (true) {
    if (wire.empty()) return std::nullopt;
    const std::size_t length = octet(wire.front());
    wire.remove_prefix(1);
    if (length == 0) break;
    if (length > kLabelMax || length > wire.size()) return std::nullopt;
    if (!name.empty()) name += '.';
    for (const char c : wire.substr(0, length)) {
      const std::optional<char> taken = host_character(c);
      if (!taken) return std::nullopt;
      name += *taken;
    }
    if (name.size() > kNameMax) return std::nullopt;
    wire.remove_prefix(length);
  }
  if (!wire.empty()) return std::nullopt;
  return name;
}

std::optional<MxRecord> mx_from_wire(std::string_view data) {
  if (data.size() < 3) return std::nullopt;
  const std::optional<std::string> host = dns_name_from_wire(data.substr(2));
  if (!host) return std::nullopt;
  return MxRecord{static_cast<std::uint16_t>(octet(data[0]) << 8 | octet(data[1])), *host};
}

std::optional<std::string> txt_from_wire(std::string_view data) {
  if (data.empty()) return std::nullopt;  // RFC 1035 s3.3.14: one string at least
  std::string text;
  while (!data.empty()) {
    const std::size_t length = octet(data.front());
    data.remove_prefix(1);
    if (length > data.size()) return std::nullopt;
    text += data.substr(0, length);
    data.remove_prefix(length);
  }
  return text;
}

std::optional<TlsaRecord> tlsa_from_wire(std::string_view data) {
  if (data.size() < 4) return std::nullopt;  // RFC 6698 s2.1: no data is no association
  return TlsaRecord{octet(data[0]), octet(data[1]), octet(data[2]), std::string(data.substr(3))};
}

}  // namespace godwit::net
