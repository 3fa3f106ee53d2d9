#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

// What a stream writes as one: pieces of memory that are borrowed and lie apart.
namespace godwit::net {

// A run over pieces of memory that are written as one; `Pieces` has size() and operator[].
template <class Pieces>
class PieceCursor {
 public:
  explicit PieceCursor(const Pieces& pieces) : pieces_(pieces) { skip_empty(); }

  [[nodiscard]] bool done() const { return index_ == pieces_.size(); }

  // As much as fits into `vectors`; returns how many are filled.
  std::size_t fill(std::span<iovec> vectors) const {
    std::size_t used = 0;
    std::size_t offset = offset_;
    for (std::size_t i = index_; i < pieces_.size() && used < vectors.size(); ++i) {
      const std::string_view rest = pieces_[i].substr(offset);
      offset = 0;
      if (rest.empty()) continue;
      vectors[used++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    return used;
  }

  // Contiguous: the rest of the current piece when it fills a buffer or is the last one, else a
  // copy of as much as the buffer takes.
  std::string_view gather(std::span<char> buffer) const {
    const std::string_view first = pieces_[index_].substr(offset_);
    if (first.size() >= buffer.size()) return first.substr(0, buffer.size());
    std::array<iovec, 16> vectors;
    const std::size_t used = fill(vectors);
    if (used == 1) return first;
    std::size_t size = 0;
    for (std::size_t i = 0; i < used && size < buffer.size(); ++i) {
      const std::size_t take = std::min(vectors[i].iov_len, buffer.size() - size);
      std::memcpy(buffer.data() + size, vectors[i].iov_base, take);
      size += take;
    }
    return {buffer.data(), size};
  }

  void advance(std::size_t count) {
    while (count > 0) {
      const std::size_t step = std::min(count, pieces_[index_].size() - offset_);
      offset_ += step;
      count -= step;
      skip_empty();
    }
  }

 private:
  void skip_empty() {
    while (index_ < pieces_.size() && offset_ == pieces_[index_].size()) {
      ++index_;
      offset_ = 0;
    }
  }

  const Pieces& pieces_;
  std::size_t index_ = 0;
  std::size_t offset_ = 0;
};

// A rope with something before and after it.
class FramedRope {
 public:
  FramedRope(std::string_view before, const Rope& rope, std::string_view after)
      : before_(before), pieces_(rope.pieces()), after_(after) {}
  [[nodiscard]] std::size_t size() const { return pieces_.size() + 2; }
  [[nodiscard]] std::string_view operator[](std::size_t index) const {
    if (index == 0) return before_;
    return index <= pieces_.size() ? pieces_[index - 1].view() : after_;
  }

 private:
  std::string_view before_;
  std::span<const Bytes> pieces_;
  std::string_view after_;
};

}  // namespace godwit::net
