#include "common/smtp/dot_stuffing.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace godwit::smtp {
namespace {

TEST(DotStuffing, Table) {
  struct Case {
    const char* plain;
    const char* wire;
  };
  const Case cases[] = {
      {"", ""},
      {"a\r\n", "a\r\n"},
      {".\r\n", "..\r\n"},
      {"a\r\n.\r\n..b\r\n", "a\r\n..\r\n...b\r\n"},
      {"a.\r\n", "a.\r\n"},
  };
  for (const auto& [plain, wire] : cases) {
    EXPECT_EQ(dot_stuffed(Bytes::of_static(plain)).to_string(), wire);
    EXPECT_EQ(dot_unstuffed(wire), plain);
  }
  EXPECT_EQ(dot_stuffed(Bytes::of_static("a")).to_string(), "a\r\n");
  EXPECT_EQ(dot_stuffed(Bytes::of_static("a\r\n.")).to_string(), "a\r\n..\r\n");
}

TEST(DotStuffing, AnyPiecesGiveTheSame) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 5'000; ++round) {
    std::string plain;
    for (int i = 0; i < 20; ++i) plain += std::array{"\r\n", ".", "x", "\r\n."}[random() % 4];
    plain += "\r\n";
    Rope rope;
    for (std::size_t at = 0; at < plain.size();) {
      const std::size_t length = 1 + random() % 5;
      rope.append(Bytes::copy_of(plain.substr(at, length)));
      at += length;
    }
    const std::string wire = dot_stuffed(rope).to_string();
    ASSERT_EQ(wire, dot_stuffed(Bytes::copy_of(plain)).to_string()) << "seed " << seed;
    ASSERT_EQ(dot_unstuffed(wire), plain) << "seed " << seed;
    ASSERT_EQ(("\r\n" + wire + ".\r\n").find("\r\n.\r\n"), wire.size()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace godwit::smtp
