#include "common/text/escape.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "common/base/check.h"

namespace godwit::text {
namespace {

struct Character {
  std::size_t octets = 0;  // 0: not well-formed UTF-8 here
  char32_t code = 0;
};

// Reads the character at the front (RFC 3629 s4: the table of well-formed sequences).
Character read_character(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = octet(0);
  if (first < 0x80) return {1, first};
  const std::size_t octets = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (octets == 0 || text.size() < octets) return {};
  char32_t code = first & (0xFFU >> (octets + 1));
  for (std::size_t i = 1; i < octets; ++i) {
    if ((octet(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (octet(i) & 0x3F);
  }
  const bool overlong = (octets == 3 && code < 0x800) || (octets == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {octets, code};
}

// What a terminal or a log viewer might act on: C1 controls, separators, directions and other
// format characters.
bool is_invisible(char32_t code) {
  return (code >= 0x80 && code <= 0x9F) || code == 0xAD || code == 0x61C ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
         (code >= 0xFFF0 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE0FFF);
}

void append_escaped(std::string& out, std::string_view octets) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : octets) {
    const auto octet = static_cast<std::uint8_t>(c);
    out += "\\x";
    out += kDigits[octet >> 4];
    out += kDigits[octet & 15];
  }
}

}  // namespace

std::string printable(std::string_view peer_text, std::size_t bytes_max) {
  static constexpr std::string_view kCut = "...";
  CHECK(bytes_max >= 8, "no room for one escaped character and the mark of the cut");
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '\\'; };
  if (peer_text.size() <= bytes_max && std::ranges::all_of(peer_text, plain)) {
    return std::string(peer_text);
  }
  std::string out;
  out.reserve(std::min(bytes_max, peer_text.size()));
  std::size_t cut_at = 0;  // the longest prefix of `out` that leaves room for kCut
  bool in_space = false;
  while (!peer_text.empty()) {
    const Character character = read_character(peer_text);
    const std::string_view octets = peer_text.substr(0, std::max<std::size_t>(character.octets, 1));
    const char c = octets.front();
    const bool space = c == '\r' || c == '\n' || c == '\t';
    if (space) {
      if (!in_space) out += ' ';
    } else if (c == '\\') {
      out += "\\\\";
    } else if (character.octets == 0 || character.code < 0x20 || character.code == 0x7F ||
               is_invisible(character.code)) {
      append_escaped(out, octets);
    } else {
      out += octets;
    }
    in_space = space;
    if (out.size() > bytes_max) {
      out.resize(cut_at);
      return out += kCut;
    }
    if (out.size() + kCut.size() <= bytes_max) cut_at = out.size();
    peer_text.remove_prefix(octets.size());
  }
  return out;
}

bool is_ascii(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  constexpr std::size_t kWord = sizeof kHighBits;
  const auto word_at = [&](std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, kWord);
    return word;
  };
  if (text.size() < kWord) {
    unsigned any = 0;
    for (const char c : text) any |= static_cast<std::uint8_t>(c);
    return any < 0x80;
  }
  // Eight words at a time, so that the compiler makes vectors of it; the mask is looked at once a
  // block.
  std::size_t at = 0;
  for (; at + 8 * kWord <= text.size(); at += 8 * kWord) {
    std::uint64_t any = 0;
    for (std::size_t i = 0; i < 8; ++i) any |= word_at(at + i * kWord);
    if ((any & kHighBits) != 0) return false;
  }
  std::uint64_t any = word_at(text.size() - kWord);  // the last octets, some of them once more
  for (; at + kWord <= text.size(); at += kWord) any |= word_at(at);
  return (any & kHighBits) == 0;
}

bool is_utf8(std::string_view text) {
  if (is_ascii(text)) return true;
  while (!text.empty()) {
    const std::size_t octets = read_character(text).octets;
    if (octets == 0) return false;
    text.remove_prefix(octets);
  }
  return true;
}

}  // namespace godwit::text
