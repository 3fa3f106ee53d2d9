#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace godwit::text {

// A set of octets, put together at compile time: what a grammar lets stand in one place.
//
//     constexpr OctetSet kHexDigits = OctetSet().with('0', '9').with('a', 'f').with('A', 'F');
class OctetSet {
 public:
  [[nodiscard]] constexpr OctetSet with(std::string_view octets) const {
    OctetSet set = *this;
    for (const char c : octets) set.has_[static_cast<unsigned char>(c)] = true;
    return set;
  }
  // Both ends included.
  [[nodiscard]] constexpr OctetSet with(unsigned char first, unsigned char last) const {
    OctetSet set = *this;
    for (unsigned octet = first; octet <= last; ++octet) set.has_[octet] = true;
    return set;
  }
  [[nodiscard]] constexpr OctetSet without(std::string_view octets) const {
    OctetSet set = *this;
    for (const char c : octets) set.has_[static_cast<unsigned char>(c)] = false;
    return set;
  }

  [[nodiscard]] constexpr bool contains(char c) const {
    return has_[static_cast<unsigned char>(c)];
  }
  [[nodiscard]] constexpr bool contains_all(std::string_view text) const {
    return std::ranges::all_of(text, [this](char c) { return contains(c); });
  }
  // How many octets at the front of `text` are in the set.
  [[nodiscard]] constexpr std::size_t span(std::string_view text) const {
    std::size_t at = 0;
    while (at < text.size() && contains(text[at])) ++at;
    return at;
  }

 private:
  std::array<bool, 256> has_{};
};

}  // namespace godwit::text
