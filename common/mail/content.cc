#include "common/mail/content.h"

#include <algorithm>

#include "common/text/escape.h"

namespace godwit::mail {

bool has_8bit(std::string_view octets) {
  return !text::is_ascii(octets);
}

bool has_8bit(const Rope& content) {
  return std::ranges::any_of(content.pieces(),
                             [](const Bytes& piece) { return has_8bit(piece.view()); });
}

}  // namespace godwit::mail
