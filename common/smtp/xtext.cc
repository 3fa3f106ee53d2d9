#include "common/smtp/xtext.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace godwit::smtp {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

// RFC 3461 s4: xchar is any ASCII CHAR between "!" and "~" but "+" and "=".
bool is_xchar(char c) {
  return c >= '!' && c <= '~' && c != '+' && c != '=';
}

int hex_value(char c) {
  const auto at = kHex.find(c);  // upper case only
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t octet) { out += static_cast<char>(octet); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

}  // namespace

std::string encode_xtext(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_xchar(c)) {
      out += c;
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out += '+';
      out += kHex[octet >> 4];
      out += kHex[octet & 15];
    }
  }
  return out;
}

std::optional<std::string> decode_xtext(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_xchar(text[at])) {
      out += text[at];
    } else if (text[at] == '+' && at + 2 < text.size()) {
      const int high = hex_value(text[at + 1]);
      const int low = hex_value(text[at + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      at += 2;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string encode_utf8_address(std::string_view text, bool ascii) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = std::min<std::size_t>(first < 0xC0   ? 1
                                                     : first < 0xE0 ? 2
                                                     : first < 0xF0 ? 3
                                                                    : 4,
                                                     text.size() - at);
    const bool plain = first >= 0x80 ? !ascii : is_xchar(text[at]) && text[at] != '\\';
    if (plain) {
      out += text.substr(at, length);
    } else {
      std::uint32_t point = length == 1 ? first : first & (0x7Fu >> length);
      for (std::size_t i = 1; i < length; ++i)
        point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
      out += fmt::format("\\x{{{:02X}}}", point);
    }
    at += length;
  }
  return out;
}

std::optional<std::string> decode_utf8_address(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      const auto octet = static_cast<unsigned char>(text[at]);
      if (octet <= 0x20 || octet == 0x7F || text[at] == '+' || text[at] == '=') return std::nullopt;
      out += text[at];
      continue;
    }
    // RFC 6533 s3: EmbeddedUnicodeChar = "\x{" HEXPOINT "}", two to six digits.
    if (!text.substr(at).starts_with("\\x{")) return std::nullopt;
    std::uint32_t point = 0;
    std::size_t digits = 0;
    for (at += 3; at < text.size() && text[at] != '}'; ++at, ++digits) {
      const int value = hex_value(text[at]);
      if (value < 0 || digits == 6) return std::nullopt;
      point = point << 4 | static_cast<std::uint32_t>(value);
    }
    if (at == text.size() || digits < 2) return std::nullopt;
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF) || point < 0x20 || point == 0x7F)
      return std::nullopt;
    append_utf8(out, point);
  }
  return out;
}

}  // namespace godwit::smtp
