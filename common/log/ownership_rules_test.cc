#include "common/log/ownership_rules.h"

#include <gtest/gtest.h>

namespace godwit::log {
namespace {

using std::chrono::milliseconds;

constexpr Timestamp kNow = from_unix_ms(1'767'225'600'000);

TEST(FirstOffsetTest, AsCommittedOrElseOnlyFromTheVeryStart) {
  EXPECT_EQ(first_offset(7, 3).value(), 7);
  EXPECT_EQ(first_offset(2, 3).value(), 3) << "the oldest there is; whoever takes it counts them";
  EXPECT_EQ(first_offset(-1, 0).value(), 0);
  EXPECT_EQ(first_offset(-1, 1).error().code, Errc::kNotFound);
}

TEST(RebuildTest, EndsAtTheHighWatermarkNotAtTheLastStableOffset) {
  const Rebuild rebuild{10};
  EXPECT_FALSE(rebuild.ends_at(9));
  EXPECT_TRUE(rebuild.ends_at(10));
  EXPECT_TRUE(rebuild.ends_at(12)) << "more was written meanwhile";
  EXPECT_TRUE(Rebuild{0}.ends_at(0));
}

TEST(CopyMarkTest, ReadsWhatItWrites) {
  const CopyMark mark{"cluster topic 3", 42, kNow};
  EXPECT_EQ(mark.to_text(), "cluster topic 3 42 1767225600000");
  const auto read = CopyMark::from_text(mark.to_text());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->source, mark.source);
  EXPECT_EQ(read->next, 42);
  EXPECT_EQ(read->as_of, kNow);
  for (const char* bad : {"", " ", "a", "a 1", " 1 2 x", "a 1 ", "a x 2", "a 1x 2", "a 1 2 3x"}) {
    EXPECT_FALSE(CopyMark::from_text(bad).has_value()) << bad;
  }
}

TEST(CopyMarkTest, OnlyOursAndYoungIsReused) {
  const CopyMark mark{"cluster topic 3", 42, kNow};
  EXPECT_EQ(reusable(mark, "cluster topic 3", kNow), 42);
  EXPECT_EQ(reusable(mark, "cluster topic 3", kNow + kCopyAgeMax), 42);
  EXPECT_EQ(reusable(mark, "cluster topic 3", kNow + kCopyAgeMax + milliseconds(1)), std::nullopt);
  EXPECT_EQ(reusable(mark, "cluster topic 4", kNow), std::nullopt);
  EXPECT_EQ(reusable(mark, "cluster topic", kNow), std::nullopt);
  EXPECT_EQ(reusable(std::nullopt, "cluster topic 3", kNow), std::nullopt);
}

TEST(TransactionVerdictTest, OnlyWhatMayBeAnothersEndsTheOwnership) {
  EXPECT_FALSE(verdict_on(TransactionEnd::kCommitted, true).code);
  const TransactionVerdict aborted = verdict_on(TransactionEnd::kAborted, false);
  EXPECT_EQ(aborted.code, Errc::kUnavailable);
  EXPECT_FALSE(aborted.ends_ownership);
  EXPECT_EQ(verdict_on(TransactionEnd::kTooLarge, false).code, Errc::kTooLarge);
  EXPECT_TRUE(verdict_on(TransactionEnd::kRejoined, false).again);
  const TransactionVerdict late = verdict_on(TransactionEnd::kRejoined, true);
  EXPECT_FALSE(late.again);
  EXPECT_EQ(late.code, Errc::kUnavailable);
  EXPECT_FALSE(late.ends_ownership);
  for (const auto end : {TransactionEnd::kFenced, TransactionEnd::kUnknown}) {
    const TransactionVerdict verdict = verdict_on(end, false);
    EXPECT_TRUE(verdict.ends_ownership);
    EXPECT_TRUE(verdict.ends_producer);
    EXPECT_FALSE(verdict.again);
  }
  EXPECT_EQ(verdict_on(TransactionEnd::kFenced, false).code, Errc::kFenced);
  EXPECT_EQ(verdict_on(TransactionEnd::kUnknown, false).code, Errc::kUnknown);
}

}  // namespace
}  // namespace godwit::log
