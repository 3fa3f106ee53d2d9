#include "common/mail/transfer_encoding.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/text/idna.h"

namespace godwit::mail {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The octet "=XX" stands for, at `at`.
std::optional<char> hex_octet(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high << 4 | low);
}

std::string decode_quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out.push_back(text[i]);
    } else if (const auto octet = hex_octet(text, i)) {
      out.push_back(*octet);
      i += 2;
    } else if (text.substr(i + 1).starts_with("\r\n")) {
      i += 2;  // a soft line break
    } else if (text.substr(i + 1).starts_with("\n")) {
      i += 1;
    } else {
      out.push_back('=');
    }
  }
  return out;
}

// Skips what is not of the alphabet, as RFC 2045 s6.8 asks of readers; ends at the padding.
std::string decode_base64(std::string_view text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count));
    }
  }
  return out;
}

constexpr std::size_t kEncodedWordBytesMax = 1'000;  // RFC 2047 s2 says 75; mailers exceed it

struct EncodedWord {
  std::string text;
  std::size_t length = 0;  // octets it took
};

// "=?charset?B|Q?text?=" at the start of `value`.
std::optional<EncodedWord> encoded_word(std::string_view value) {
  if (!value.starts_with("=?")) return std::nullopt;
  value = value.substr(0, kEncodedWordBytesMax);
  const std::size_t charset_end = value.find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= value.size() ||
      value[charset_end + 2] != '?') {
    return std::nullopt;
  }
  const std::size_t begin = charset_end + 3;
  const std::size_t end = value.find("?=", begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view encoded = value.substr(begin, end - begin);
  if (encoded.find_first_of(" \t") != std::string_view::npos) return std::nullopt;

  std::string charset = text::to_lower(value.substr(2, charset_end - 2));
  charset.resize(std::min(charset.size(), charset.find('*')));  // RFC 2231 s5: a language behind it
  const char encoding = value[charset_end + 1];
  std::string octets;
  if (encoding == 'B' || encoding == 'b') {
    octets = decode_base64(encoded);
  } else if (encoding == 'Q' || encoding == 'q') {
    std::string spaced(encoded);
    for (char& c : spaced) c = c == '_' ? ' ' : c;
    octets = decode_quoted_printable(spaced);
  } else {
    return std::nullopt;
  }
  return EncodedWord{to_utf8(std::move(octets), charset), end + 2};
}

}  // namespace

std::string decode_transfer(std::string_view octets, std::string_view encoding) {
  if (encoding == "quoted-printable") return decode_quoted_printable(octets);
  if (encoding == "base64") return decode_base64(octets);
  return std::string(octets);
}

std::string to_utf8(std::string text, std::string_view charset) {
  if (charset != "iso-8859-1" && charset != "windows-1252" && charset != "latin1") return text;
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0 | octet >> 6));
      out.push_back(static_cast<char>(0x80 | (octet & 0x3f)));
    }
  }
  return out;
}

std::string decode_words(std::string_view value) {
  std::string out;
  std::size_t word_end = std::string::npos;  // where in `out` the last encoded word ended
  for (std::size_t i = 0; i < value.size();) {
    if (const auto word = encoded_word(value.substr(i))) {
      // RFC 2047 s6.2: white space between two encoded words is not shown.
      if (word_end != std::string::npos &&
          out.find_first_not_of(" \t", word_end) == std::string::npos) {
        out.resize(word_end);
      }
      out += word->text;
      word_end = out.size();
      i += word->length;
    } else {
      out.push_back(value[i++]);
    }
  }
  return out;
}

}  // namespace godwit::mail
