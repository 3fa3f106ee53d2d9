#include "common/role/standstill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace godwit::role {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Standstill, EachChangeIsLoggedOnce) {
  std::vector<std::string> lines;
  const observe::LogCapture capture([&](std::string_view line) { lines.emplace_back(line); });
  Standstill standstill(observe::Logger("test"), 3);
  standstill.set({});
  EXPECT_EQ(standstill.problem(), "");
  for (int i = 0; i < 2; ++i) standstill.set("no room");
  EXPECT_EQ(standstill.problem(), "no room");
  for (int i = 0; i < 2; ++i) standstill.set({});
  EXPECT_EQ(standstill.problem(), "");
  EXPECT_THAT(lines, ElementsAre(AllOf(HasSubstr("\"error\""), HasSubstr("partition stands still"),
                                       HasSubstr("\"partition\":3"), HasSubstr("no room")),
                                 AllOf(HasSubstr("\"info\""), HasSubstr("partition goes on"))));
}

}  // namespace
}  // namespace godwit::role
