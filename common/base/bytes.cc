#include "common/base/bytes.h"

#include <algorithm>

namespace godwit {

Rope Rope::slice(std::size_t offset, std::size_t length) const {
  Rope out;
  for (const Bytes& piece : pieces_) {
    if (length == 0) break;
    if (offset >= piece.size()) {
      offset -= piece.size();
      continue;
    }
    const std::size_t count = std::min(length, piece.size() - offset);
    out.append(piece.slice(offset, count));
    offset = 0;
    length -= count;
  }
  return out;
}

Bytes Rope::flatten() const {
  if (pieces_.empty()) return {};
  if (pieces_.size() == 1) return pieces_.front();
  return Bytes::adopt(to_string());
}

std::string Rope::to_string() const {
  std::string out;
  out.reserve(size_);
  for (const Bytes& piece : pieces_) out.append(piece.view());
  return out;
}

}  // namespace godwit
