#include "sender/lane_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace godwit::sender {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class LaneMetricsTest : public testing::Test {
 protected:
  [[nodiscard]] std::string text() const { return metrics_.text(); }
  static AttemptReport report(std::vector<RecipientResult> recipients) {
    AttemptReport report;
    report.recipients = std::move(recipients);
    report.source = SourceName("mta1");
    return report;
  }

  observe::Metrics metrics_;
  std::unique_ptr<LaneMetrics> lane_ =
      std::make_unique<LaneMetrics>(metrics_, "google", PoolName("bulk"));
};

TEST_F(LaneMetricsTest, CountsEachRecipientUnderItsClassAndSource) {
  lane_->attempted(report({{.verdict = Verdict::kDelivered, .reply = {}, .category = ""},
                           {.verdict = Verdict::kBounced, .reply = {}, .category = "bad-mailbox"},
                           {.verdict = Verdict::kDeferred, .reply = {}, .category = "quota-issues"},
                           {.verdict = Verdict::kUnknown, .reply = {}, .category = ""},
                           {.verdict = Verdict::kHeld, .reply = {}, .category = ""}}),
                   seconds(3), true, false);
  lane_->expired(2);
  const auto recipients = [](std::string_view result, std::string_view category, int count) {
    return HasSubstr(
        "godwit_sender_provider_recipients_total{provider=\"google\",pool=\"bulk\",result=\"" +
        std::string(result) + "\",class=\"" + std::string(category) + "\"} " +
        std::to_string(count) + "\n");
  };
  EXPECT_THAT(text(), recipients("delivered", "none", 1));
  EXPECT_THAT(text(), recipients("bounced", "bad-mailbox", 1));
  EXPECT_THAT(text(), recipients("deferred", "quota-issues", 1));
  EXPECT_THAT(text(), recipients("deferred", "other", 1)) << "the unknown one";
  EXPECT_THAT(text(), recipients("expired", "message-expired", 2));
  EXPECT_THAT(text(), HasSubstr("{source=\"mta1\",result=\"delivered\"} 1\n"));
  EXPECT_THAT(text(), HasSubstr("{source=\"mta1\",result=\"deferred\"} 2\n"));
  EXPECT_THAT(text(), HasSubstr("godwit_sender_delivery_seconds_sum{provider=\"google\"} 3\n"));
  EXPECT_THAT(text(),
              HasSubstr("godwit_sender_first_attempt_seconds_count{priority=\"bulk\"} 1\n"));
  EXPECT_THAT(text(),
              HasSubstr("godwit_sender_first_attempt_seconds_count{priority=\"urgent\"} 0\n"));
}

TEST_F(LaneMetricsTest, OnlyTheFirstAttemptIsTheFirst) {
  lane_->attempted(report({}), seconds(3), false, true);
  EXPECT_THAT(text(),
              HasSubstr("godwit_sender_first_attempt_seconds_count{priority=\"urgent\"} 0\n"));
  lane_->attempted(report({}), seconds(-3), true, true);  // a clock that was set back
  EXPECT_THAT(text(),
              HasSubstr("godwit_sender_first_attempt_seconds_count{priority=\"urgent\"} 1\n"));
  EXPECT_THAT(text(),
              HasSubstr("godwit_sender_first_attempt_seconds_sum{priority=\"urgent\"} 0\n"));
}

TEST_F(LaneMetricsTest, SaysWhatLanesWaitForUntilTheyEnd) {
  LaneMetrics other(metrics_, "google", PoolName("bulk"));
  const auto waiting = [](std::string_view reason, int lanes) {
    return HasSubstr("godwit_sender_lanes_waiting{provider=\"google\",pool=\"bulk\",reason=\"" +
                     std::string(reason) + "\"} " + std::to_string(lanes) + "\n");
  };
  lane_->stands(Wait::kMessageRate);
  lane_->stands(Wait::kMessageRate);
  other.stands(Wait::kMessageRate);
  EXPECT_THAT(text(), waiting("max_message_rate", 2));
  EXPECT_THAT(
      text(),
      HasSubstr(
          "lane_waits_total{provider=\"google\",pool=\"bulk\",reason=\"max_message_rate\"} 2\n"));
  lane_->stands(Wait::kSuspended);
  EXPECT_THAT(text(), waiting("max_message_rate", 1));
  EXPECT_THAT(text(), waiting("suspended", 1));
  lane_.reset();
  EXPECT_THAT(text(), waiting("suspended", 0));
  other.stands(Wait::kNone);
  EXPECT_THAT(text(), waiting("max_message_rate", 0));
  EXPECT_THAT(text(), Not(HasSubstr("reason=\"\"")));
}

}  // namespace
}  // namespace godwit::sender
