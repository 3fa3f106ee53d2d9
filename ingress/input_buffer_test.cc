#include "ingress/input_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace godwit::ingress {
namespace {

void receive(InputBuffer& input, std::string_view octets, std::size_t capacity) {
  const auto room = input.space(capacity);
  ASSERT_GE(room.size(), octets.size());
  std::ranges::copy(octets, room.begin());
  input.received(octets.size());
}

TEST(InputBuffer, SlicesStayWhatTheyWere) {
  InputBuffer input;
  EXPECT_TRUE(input.empty());
  receive(input, "hello world", 300);
  const Bytes hello = input.slice(input.view().substr(0, 5));
  input.consume(6);
  EXPECT_EQ(input.view(), "world");
  receive(input, std::string(200, 'x'),
          300);  // little room is left: the next one takes a new buffer
  EXPECT_TRUE(input.full());
  receive(input, "!", 300);
  EXPECT_EQ(input.view(), "world" + std::string(200, 'x') + "!");
  input.consume(input.view().size());
  input.release();
  EXPECT_EQ(input.capacity(), 0u);
  EXPECT_EQ(hello.view(), "hello");
}

TEST(InputBuffer, IsUsedAgainWhenNobodyLooks) {
  InputBuffer input;
  receive(input, "abc", 1000);
  const char* begin = input.view().data();
  input.consume(3);
  receive(input, "def", 1000);
  EXPECT_EQ(input.view().data(), begin);
  const Bytes kept = input.slice(input.view());
  input.consume(3);
  receive(input, "ghi", 1000);
  EXPECT_EQ(input.view().data(), begin + 3);
  EXPECT_EQ(kept.view(), "def");
}

}  // namespace
}  // namespace godwit::ingress
