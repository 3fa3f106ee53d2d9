#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/ids.h"
#include "common/base/manual_clock.h"
#include "common/base/result.h"

namespace godwit {
namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') return fail(make_error_code(std::errc::invalid_argument), "digit");
  return c - '0';
}

Result<int> sum(char a, char b) {
  TRY(const int x, parse_digit(a));
  TRY(const int y, parse_digit(b));
  return x + y;
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(sum('2', '3'), 5);
  ASSERT_FALSE(sum('2', 'x'));
  EXPECT_EQ(sum('2', 'x').error().code, std::errc::invalid_argument);
  EXPECT_EQ(sum('x', '1').error().context, "digit");
}

TEST(MessageId, KeepsTimeAndRoundTrips) {
  ManualClock clock;
  SeededRandom random(7);
  const MessageId id = MessageId::generate(clock, random);
  EXPECT_EQ(id.time(), clock.now());
  EXPECT_EQ(id.to_text()[14], '7');
  EXPECT_EQ(MessageId::from_text(id.to_text()), id);
  EXPECT_EQ(MessageId::from_octets(id.octets()), id);
  clock.advance(std::chrono::milliseconds(1));
  EXPECT_LT(id, MessageId::generate(clock, random));
}

TEST(MessageId, RefusesWhatIsNoId) {
  for (const char* text :
       {"", "0190", "01900000-0000-7000-8000-00000000000g", "019000000-000-7000-8000-000000000000",
        "01900000-0000-7000-8000-0000000000000"}) {
    EXPECT_FALSE(MessageId::from_text(text)) << text;
  }
  EXPECT_FALSE(MessageId::from_octets("short"));
}

TEST(RecipientId, TextForm) {
  const std::string text = "01900000-0000-7000-8000-000000000001/42";
  const auto id = RecipientId::from_text(text);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->index, 42u);
  EXPECT_EQ(id->to_text(), text);
  EXPECT_FALSE(RecipientId::from_text("01900000-0000-7000-8000-000000000001/"));
  EXPECT_FALSE(RecipientId::from_text("01900000-0000-7000-8000-000000000001/4x"));
  EXPECT_FALSE(RecipientId::from_text("01900000-0000-7000-8000-000000000001/99999999999"));
}

TEST(Rope, SlicesWithoutCopying) {
  Rope rope;
  rope.append(Bytes::copy_of("hello "));
  rope.append(Bytes::copy_of(""));
  rope.append(Bytes::copy_of("wide world"));
  EXPECT_EQ(rope.pieces().size(), 2u);
  EXPECT_EQ(rope.to_string(), "hello wide world");
  const Rope part = rope.slice(4, 6);
  EXPECT_EQ(part.to_string(), "o wide");
  EXPECT_EQ(part.pieces()[0].view().data(), rope.pieces()[0].view().data() + 4);
  EXPECT_EQ(rope.slice(100).size(), 0u);
  EXPECT_EQ(rope.slice(0, 6).flatten().view().data(), rope.pieces()[0].view().data());
}

TEST(Bytes, OutlivesItsMaker) {
  Bytes tail;
  {
    const Bytes whole = Bytes::adopt(std::string(1000, 'x') + "end");
    tail = whole.slice(1000);
  }
  EXPECT_EQ(tail.view(), "end");
}

TEST(Random, SeedsRepeatAndBoundsHold) {
  SeededRandom a(1);
  SeededRandom b(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(a.below(7), b.below(7));
    EXPECT_LT(a.below(3), 3u);
    EXPECT_LT(a.unit(), 1.0);
    static_cast<void>(b.below(3));
    static_cast<void>(b.unit());
  }
}

TEST(Random, TheThreadsGeneratorRepeatsWhenToldTo) {
  repeat_system_random(7);
  SeededRandom same(7);
  EXPECT_EQ(system_random().next(), same.next());
  EXPECT_EQ(system_random().next(), same.next());
}

TEST(CheckDeathTest, NamesConditionAndMessage) {
  EXPECT_DEATH(CHECK(1 == 2, "{} is odd", 3), "1 == 2.*3 is odd");
}

}  // namespace
}  // namespace godwit
