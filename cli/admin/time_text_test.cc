#include "cli/admin/time_text.h"

#include <gtest/gtest.h>

namespace godwit::cli::admin {
namespace {

constexpr std::int64_t kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

struct SinceCase {
  const char* text;
  std::optional<std::int64_t> unix_ms;
};
class Since : public testing::TestWithParam<SinceCase> {};
TEST_P(Since, Parse) {
  const auto since = parse_since(GetParam().text, from_unix_ms(kNow));
  ASSERT_EQ(since.has_value(), GetParam().unix_ms.has_value()) << GetParam().text;
  if (since) EXPECT_EQ(to_unix_ms(*since), *GetParam().unix_ms) << GetParam().text;
}
INSTANTIATE_TEST_SUITE_P(
    Cases, Since,
    testing::Values(SinceCase{"2026-01-01T00:00:00Z", kNow}, SinceCase{"2026-01-01", kNow},
                    SinceCase{"2026-01-01t01:30:00.250+01:30", kNow + 250},
                    SinceCase{"2025-12-31 23:00:00-01:00", kNow},
                    SinceCase{"2026-01-01T00:00:00.123456Z", kNow + 123},
                    SinceCase{"2024-02-29", 1'709'164'800'000}, SinceCase{"20m", kNow - 1'200'000},
                    SinceCase{"1h30m", kNow - 5'400'000}, SinceCase{"0", kNow},
                    SinceCase{"", std::nullopt}, SinceCase{"yesterday", std::nullopt},
                    SinceCase{"20", std::nullopt}, SinceCase{"-5m", std::nullopt},
                    SinceCase{"2025-02-29", std::nullopt}, SinceCase{"2026-13-01", std::nullopt},
                    SinceCase{"2026-01-01T24:00:00Z", std::nullopt},
                    SinceCase{"2026-01-01T00:60:00Z", std::nullopt},
                    SinceCase{"2026-01-01T00:00:00", std::nullopt},
                    SinceCase{"2026-01-01T00:00Z", std::nullopt},
                    SinceCase{"2026-01-01T00:00:00.Z", std::nullopt},
                    SinceCase{"2026-01-01T00:00:00Zx", std::nullopt},
                    SinceCase{"2026-01-01T00:00:00+1:00", std::nullopt},
                    SinceCase{"+026-01-01", std::nullopt}));

TEST(TimeText, ShowsTimesAndAges) {
  const Timestamp now = from_unix_ms(kNow);
  EXPECT_EQ(time_text(now + std::chrono::milliseconds(7)), "2026-01-01 00:00:00.007");
  EXPECT_EQ(time_text({}), "-");
  EXPECT_EQ(age_text({}, now), "-");
  EXPECT_EQ(age_text(now, now), "0s");
  EXPECT_EQ(age_text(now - std::chrono::milliseconds(59'999), now), "59s");
  EXPECT_EQ(age_text(now - std::chrono::seconds(192), now), "3m12s");
  EXPECT_EQ(age_text(now - std::chrono::minutes(61), now), "1h1m");
  EXPECT_EQ(age_text(now - std::chrono::hours(52), now), "2d4h");
  EXPECT_EQ(age_text(now + std::chrono::minutes(20), now), "in 20m0s");
}

}  // namespace
}  // namespace godwit::cli::admin
