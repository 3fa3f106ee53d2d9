#include "common/audit/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace godwit::audit {
namespace {

using testing::HasSubstr;
using testing::Not;

Report with_exceptions() {
  Report report{.accepted = 5, .delivered = 2, .missing = 2, .doubled = 1, .doubled_outside = 1};
  report.exceptions = {{Exception::Kind::kMissing, {MessageId{}, 3}, {}},
                       {Exception::Kind::kDoubled,
                        {MessageId{}, 4},
                        {{Ending::kDelivered, 1}, {Ending::kBounced, 2}}}};
  return report;
}

TEST(Report, TableOfACleanAuditSaysSo) {
  const std::string table = to_table({.accepted = 3, .delivered = 2, .pending_parked = 1});
  EXPECT_THAT(table, HasSubstr("Every accepted recipient is accounted for.\n"));
  EXPECT_THAT(table, HasSubstr("0 not routed, 0 to be tried, 1 parked"));
  EXPECT_THAT(table, Not(HasSubstr("NOT CLEAN")));
  EXPECT_THAT(table, Not(HasSubstr("repeated")));
}

TEST(Report, TableNamesExceptionsAndHowManyMore) {
  const std::string table = to_table(with_exceptions());
  EXPECT_THAT(table, HasSubstr("NOT CLEAN: 2 missing, 1 doubled."));
  EXPECT_THAT(table, HasSubstr("missing  00000000-0000-0000-0000-000000000000/3\n"));
  EXPECT_THAT(table, HasSubstr("/4  delivered at attempt 1, bounced at attempt 2\n"));
  EXPECT_THAT(table, HasSubstr("and 1 more\n"));
}

TEST(Report, JsonHasEveryCountAndTheExceptions) {
  const auto json = nlohmann::json::parse(to_json(with_exceptions()));
  EXPECT_EQ(json["clean"], false);
  EXPECT_EQ(json["accepted"], 5);
  EXPECT_EQ(json["missing"], 2);
  EXPECT_EQ(json["exceptions_total"], 3);
  EXPECT_EQ(json["exceptions"][1]["endings"][1]["type"], "bounced");
  EXPECT_EQ(json["exceptions"][1]["endings"][1]["attempt"], 2);
}

}  // namespace
}  // namespace godwit::audit
