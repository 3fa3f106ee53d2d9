#include "cli/run/start_patience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/manual_clock.h"
#include "common/log/errc.h"

namespace godwit::cli::run {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StartPatienceTest : public testing::Test {
 protected:
  // Brokers that answer for the first time to question number `answering`; each takes `each`.
  Result<int> ask(int answering, std::chrono::milliseconds each = 10s) {
    return patience_.until_answered([&]() -> Result<int> {
      clock_.advance(each);
      if (++asked_ == answering) return 7;
      return fail(log::Errc::kUnavailable, "nobody answers " + std::to_string(asked_));
    });
  }

  ManualClock clock_;
  int asked_ = 0;
  bool end_ = false;
  std::vector<std::string> told_;
  StartPatience patience_{clock_, 60s, [this](std::string_view problem) {
                            told_.emplace_back(problem);
                            return end_;
                          }};
};

TEST_F(StartPatienceTest, WhoAnswersAtOnceIsAskedOnce) {
  EXPECT_EQ(ask(1).value(), 7);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(StartPatienceTest, BrokersThatComeLateAreWaitedForAndItIsSaid) {
  EXPECT_EQ(ask(3).value(), 7);
  EXPECT_THAT(told_, ElementsAre(HasSubstr("nobody answers 1"), HasSubstr("nobody answers 2")));
}

TEST_F(StartPatienceTest, ThenTheLastAnswerIsTheReason) {
  const auto answer = ask(100);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, log::Errc::kUnavailable);
  EXPECT_EQ(answer.error().context, "nobody answers 6");
  EXPECT_EQ(ask(100).error().context, "nobody answers 7") << "the patience is one for all";
}

TEST_F(StartPatienceTest, WhatIsWrongIsNotWaitedFor) {
  for (const std::error_code code : {std::make_error_code(std::errc::invalid_argument),
                                     log::make_error_code(log::Errc::kCorrupt)}) {
    const auto answer = patience_.until_answered([&]() -> Result<void> {
      ++asked_;
      return fail(code, "wrong");
    });
    EXPECT_EQ(answer.error().code, code);
  }
  EXPECT_EQ(asked_, 2);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(StartPatienceTest, WhoIsToldToEndEndsAsIfNobodyHadWaited) {
  end_ = true;
  EXPECT_EQ(ask(100).error().code, std::errc::operation_canceled);
  EXPECT_EQ(asked_, 1);
}

}  // namespace
}  // namespace godwit::cli::run
