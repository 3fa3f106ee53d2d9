#include "common/admin/line_limit.h"

#include <gtest/gtest.h>

namespace godwit::admin {
namespace {

using std::chrono::milliseconds;

TEST(LineLimit, OneASecondThatCountsTheOthers) {
  LineLimit lines;
  const Timestamp begin = from_unix_ms(1'000'000);
  EXPECT_EQ(lines.count(begin), 1U);
  EXPECT_EQ(lines.count(begin), 0U);
  EXPECT_EQ(lines.count(begin + milliseconds(999)), 0U);
  EXPECT_EQ(lines.count(begin + milliseconds(1'000)), 3U);
  EXPECT_EQ(lines.count(begin + milliseconds(1'001)), 0U);
}

TEST(LineLimit, AClockThatIsSetBackSilencesNothing) {
  LineLimit lines;
  EXPECT_EQ(lines.count(from_unix_ms(1'000'000)), 1U);
  EXPECT_EQ(lines.count(from_unix_ms(500'000)), 1U);
}

}  // namespace
}  // namespace godwit::admin
