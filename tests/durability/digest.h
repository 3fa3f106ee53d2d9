#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "common/base/crc32c.h"

namespace godwit::durability {

inline constexpr std::string_view kDigestField = "X-Digest: ";

// The header field that says what the text behind the empty line is.
[[nodiscard]] inline std::string digest_field(std::string_view text) {
  return fmt::format("{}{:08x}", kDigestField, crc32c(text));
}

// Is this the content, whole and unchanged, that digest_field() was made for? In wire form; fields may have been
// put in front.
[[nodiscard]] inline bool matches_digest(std::string_view content) {
  const std::size_t empty_line = content.find("\r\n\r\n");
  if (empty_line == std::string_view::npos) return false;
  const std::string field = digest_field(content.substr(empty_line + 4));
  return content.substr(0, empty_line).contains(field);
}

}  // namespace godwit::durability
