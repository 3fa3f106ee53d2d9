#include "sender/retry_schedule.h"

#include <gtest/gtest.h>

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;

const Timestamp kNow = from_unix_ms(1'767'225'600'000);
const Timestamp kFar = kNow + std::chrono::days{30};

TEST(RetrySchedule, WaitsDoubleUpToTheCap) {
  const RetrySchedule schedule;
  const std::chrono::milliseconds expected[] = {20min, 40min, 80min, 160min, 240min, 240min};
  for (std::uint32_t attempt = 1; attempt <= 6; ++attempt) {
    EXPECT_EQ(schedule.wait_after(attempt), expected[attempt - 1]) << attempt;
  }
  EXPECT_EQ(schedule.wait_after(0), 20min);
  EXPECT_EQ(schedule.wait_after(4'000'000'000), 240min);
}

TEST(RetrySchedule, JitterStaysWithinItsShareAndIsUsed) {
  const RetrySchedule schedule;
  SeededRandom random(7);
  Timestamp least = kFar;
  Timestamp most = kNow;
  for (int i = 0; i < 1000; ++i) {
    const Timestamp due = schedule.next_attempt(1, kNow, kFar, false, random);
    least = std::min(least, due);
    most = std::max(most, due);
  }
  EXPECT_GE(least, kNow + 18min);
  EXPECT_LE(most, kNow + 22min);
  EXPECT_LT(least, kNow + 18min + 10s);
  EXPECT_GT(most, kNow + 22min - 10s);
}

TEST(RetrySchedule, TheNextAttemptIsNotLaterThanTheEnd) {
  const RetrySchedule schedule;
  SeededRandom random(7);
  EXPECT_EQ(schedule.next_attempt(3, kNow, kNow + 1min, false, random), kNow + 1min);
  EXPECT_EQ(schedule.next_attempt(3, kNow, kNow - 1min, false, random), kNow);
}

TEST(RetrySchedule, AnUnknownOutcomeWaitsTenMinutesAtLeast) {
  RetrySchedule schedule;
  schedule.first = 1s;
  schedule.jitter = 0;
  SeededRandom random(7);
  EXPECT_EQ(schedule.next_attempt(1, kNow, kFar, false, random), kNow + 1s);
  EXPECT_EQ(schedule.next_attempt(1, kNow, kFar, true, random), kNow + 10min);
  schedule.first = 1h;
  EXPECT_EQ(schedule.next_attempt(1, kNow, kFar, true, random), kNow + 1h);
}

TEST(RetrySchedule, ExpiryIsTheMessagesOwnOrItsAge) {
  const RetrySchedule schedule;
  EXPECT_EQ(schedule.expiry(kNow, 0), kNow + std::chrono::days{5});
  EXPECT_EQ(schedule.expiry(kNow, to_unix_ms(kNow + 1h)), kNow + 1h);
}

}  // namespace
}  // namespace godwit::sender
