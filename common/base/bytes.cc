#include "common/base/bytes.h"

#include <algorithm>
#include <iterator>

namespace godwit {

void Rope::append_to_many(Bytes bytes) {
  if (count_ == few_.size()) {
    many_.assign(std::make_move_iterator(few_.begin()), std::make_move_iterator(few_.end()));
  }
  many_.push_back(std::move(bytes));
  ++count_;
}

Rope Rope::slice(std::size_t offset, std::size_t length) const {
  Rope out;
  for (const Bytes& piece : pieces()) {
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
  if (count_ == 0) return {};
  if (count_ == 1) return few_.front();
  return Bytes::adopt(to_string());
}

std::string Rope::to_string() const {
  std::string out;
  out.reserve(size_);
  for (const Bytes& piece : pieces()) out.append(piece.view());
  return out;
}

}  // namespace godwit
