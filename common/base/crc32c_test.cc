#include "common/base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit {
namespace {

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  // RFC 3720 appendix B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  std::string ascending;
  for (char octet = 0; octet < 32; ++octet) ascending.push_back(octet);
  EXPECT_EQ(crc32c(ascending), 0x46DD794Eu);
}

TEST(Crc32c, ContinuesOverPieces) {
  const std::string text =
      "The bar-tailed godwit holds the record for the longest flight without a stop.";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(
        crc32c(std::string_view(text).substr(cut), crc32c(std::string_view(text).substr(0, cut))),
        crc32c(text));
    Rope rope(Bytes::copy_of(text.substr(0, cut)));
    rope.append(Bytes::copy_of(text.substr(cut)));
    EXPECT_EQ(crc32c(rope), crc32c(text));
  }
  EXPECT_EQ(crc32c(Rope()), 0u);
}

}  // namespace
}  // namespace godwit
