#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace godwit {

// Lets a hash table with std::string keys be asked by any text, without making a string of it:
//     std::unordered_map<std::string, Value, StringHash, std::equal_to<>>
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

}  // namespace godwit
