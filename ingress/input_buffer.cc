#include "ingress/input_buffer.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace godwit::ingress {

std::span<char> InputBuffer::space(std::size_t capacity) {
  // Nobody else looks at the buffer: what was consumed may be written over.
  if (empty() && data_.use_count() == 1) begin_ = end_ = 0;
  if (full()) {
    const std::string_view left = view();
    const std::size_t size = std::max(capacity, 2 * left.size() + kRoomMin);
    auto next = std::make_shared_for_overwrite<char[]>(size);
    if (!left.empty()) std::memcpy(next.get(), left.data(), left.size());
    begin_ = 0;
    end_ = left.size();
    data_ = std::move(next);
    capacity_ = size;
  }
  return {data_.get() + end_, capacity_ - end_};
}

void InputBuffer::release() {
  CHECK(empty(), "octets would be lost");
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace godwit::ingress
