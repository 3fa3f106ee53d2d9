#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/bytes.h"

namespace godwit::ingress {

// What was received and not yet consumed, in one piece, in a buffer that content can be sliced out
// of.
//
// Octets are never moved but once: when a buffer is full, what is unconsumed (part of a line) goes
// to the front of the next one. What was sliced stays where it is and keeps its buffer alive.
// Memory   nothing while released; else one buffer
// Threads  one at a time. Slices may be read anywhere: nothing is written over them.
class InputBuffer {
 public:
  [[nodiscard]] std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  void consume(std::size_t bytes) { begin_ += bytes; }

  static constexpr std::size_t kRoomMin = 256;

  // Room for at least kRoomMin octets behind view(). A new buffer, when it takes one, has
  // `capacity` octets, or more where what is unconsumed leaves little of that.
  [[nodiscard]] std::span<char> space(std::size_t capacity);
  // Too little room for a read to be worth its system call: space() would take a new buffer.
  [[nodiscard]] bool full() const { return capacity_ - end_ < kRoomMin; }
  void received(std::size_t bytes) { end_ += bytes; }

  // `part` lies inside view(), or did before consume().
  [[nodiscard]] Bytes slice(std::string_view part) const {
    return {std::shared_ptr<const void>(data_, data_.get()), part};
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Gives the buffer away. Only while empty().
  void release();

 private:
  std::shared_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace godwit::ingress
