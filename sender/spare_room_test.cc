#include "sender/spare_room.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"

namespace godwit::sender {
namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

class SpareRoomTest : public testing::Test {
 protected:
  void say(std::uint64_t bytes) {
    log_.set_bytes_free(bytes);
    clock_.advance(SpareRoom::kAskAgain);
  }
  ManualClock clock_;
  log::FakeLog log_{clock_};
  SpareRoom room_{log_, clock_};
};

TEST_F(SpareRoomTest, NothingWhenOnlyTheReserveIsLeft) {
  log_.set_bytes_free(0);
  EXPECT_FALSE(room_.take(0));
  EXPECT_FALSE(room_.take(1));
}

TEST_F(SpareRoomTest, ContentCountsTwice) {
  log_.set_bytes_free(kMebibyte);
  EXPECT_FALSE(room_.take(kMebibyte / 2));
  EXPECT_TRUE(room_.take(kMebibyte / 2 - 4096));
}

TEST_F(SpareRoomTest, SharesTogetherStayBelowWhatTheLogSays) {
  log_.set_bytes_free(kMebibyte);
  std::vector<SpareRoom::Share> shares;
  while (auto share = room_.take(50'000)) shares.push_back(std::move(share));
  EXPECT_EQ(shares.size(), kMebibyte / (100'000 + 4096));
}

TEST_F(SpareRoomTest, WhatWasWrittenCountsUntilTheLogShowsIt) {
  say(kMebibyte);
  {
    EXPECT_TRUE(room_.take(500'000));
  }
  EXPECT_FALSE(room_.take(500'000));
  clock_.advance(SpareRoom::kShown);
  EXPECT_TRUE(room_.take(500'000));
}

TEST_F(SpareRoomTest, GoesOnWhenThereIsRoomAgain) {
  say(0);
  EXPECT_FALSE(room_.take(1000));
  say(kMebibyte);
  EXPECT_TRUE(room_.take(1000));
}

TEST_F(SpareRoomTest, AMovedShareIsGivenBackOnce) {
  say(kMebibyte);
  {
    SpareRoom::Share first = room_.take(400'000);
    SpareRoom::Share second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is the question
    first = std::move(second);
    EXPECT_TRUE(first);
  }
  clock_.advance(SpareRoom::kShown);
  EXPECT_TRUE(room_.take(500'000));
}

}  // namespace
}  // namespace godwit::sender
