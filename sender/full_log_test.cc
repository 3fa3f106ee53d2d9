// The role on a log whose disk is full: only the reserve is left, and it is for endings.

#include "sender/role_test_support.h"

#include <atomic>
#include <map>

namespace godwit::sender {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;

constexpr std::uint64_t kMuchRoom = 1ull << 40;

class SenderOnAFullLog : public testing::Test {
 protected:
  SenderOnAFullLog() {
    system_.config.retry.first = 50ms;
    system_.config.retry.factor = 1;
    system_.config.retry.max = 50ms;
    system_.route_all_to(peer_.port());
    system_.log.set_bytes_free(0);
  }
  [[nodiscard]] std::map<std::string, std::string> rows() const { return system_.retries(); }
  [[nodiscard]] std::size_t attempts() const { return peer_.mail_times().size(); }

  std::atomic<bool> answers_{false};       // with 450 at MAIL until then
  std::atomic<bool> second_waits_{false};  // RCPT of "two" is answered with 450
  FakePeer peer_{[this](Stage stage, const std::string& line, int) -> std::string {
    if (stage == Stage::kMail && !answers_) return "450 4.2.0 later";
    if (stage == Stage::kRcpt && second_waits_ && line.find("two@") != std::string::npos) {
      return "450 4.2.1 two waits";
    }
    return {};
  }};
  FakeMailSystem system_;
};

TEST_F(SenderOnAFullLog, ADeferralWritesNothingAndTheMailGoesOutLater) {
  system_.start();
  system_.put({});
  system_.put({.urgent = true});
  EVENTUALLY(attempts() >= 8);
  EXPECT_THAT(rows(), IsEmpty());
  EXPECT_THAT(system_.story(), IsEmpty());
  answers_ = true;
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  EVENTUALLY(system_.committed() == 1 && system_.committed(log::Topic::kOutboundUrgent) == 1);
  EXPECT_EQ(peer_.mails().size(), 2U);
  EXPECT_THAT(rows(), IsEmpty());
}

TEST_F(SenderOnAFullLog, WhatWasKeptIsParkedWhenThereIsRoom) {
  system_.config.retry.first = system_.config.retry.max = 1h;
  system_.start();
  system_.put({});
  system_.put({.due_in = 1h});
  EVENTUALLY(attempts() == 1);
  EXPECT_EQ(system_.committed(), 0);
  EXPECT_THAT(rows(), IsEmpty());
  system_.log.set_bytes_free(kMuchRoom);
  EVENTUALLY(system_.parked().size() == 2);
  EVENTUALLY(system_.committed() == 2);
  EXPECT_EQ(attempts(), 1U);
  EXPECT_EQ(rows().size(), 4U);  // d/ and c/
}

TEST_F(SenderOnAFullLog, ARestartLosesNothing) {
  system_.config.retry.first = system_.config.retry.max = 1h;
  system_.start();
  system_.put({});
  system_.put({.due_in = 1h});
  EVENTUALLY(attempts() == 1);
  system_.stop();
  EXPECT_EQ(system_.committed(), 0);
  answers_ = true;
  system_.start();
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_EQ(peer_.mails().size(), 1U);
}

TEST_F(SenderOnAFullLog, WhatEndedIsWrittenAndNotSentAgainAfterARestart) {
  answers_ = second_waits_ = true;
  system_.start();
  system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_THAT(rows(), ElementsAre(Key("s/outbound/0")));
  EXPECT_EQ(system_.committed(), 0);  // the content is still needed where it was accepted
  system_.log.crash();
  system_.stop(0ms);

  second_waits_ = false;
  system_.start();
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  EVENTUALLY(system_.committed() == 1);
  EXPECT_THAT(rows(), IsEmpty());
  ASSERT_EQ(peer_.mails().size(), 2U);
  EXPECT_THAT(peer_.mails().at(0).recipients, ElementsAre("one@a.example"));
  EXPECT_THAT(peer_.mails().at(1).recipients, ElementsAre("two@a.example"));
  EXPECT_GE(system_.events().back().head.attempt(), 2U);
}

TEST_F(SenderOnAFullLog, WhoIsLeftIsParkedWhenThereIsRoomAndItsRowGoes) {
  answers_ = second_waits_ = true;
  system_.config.retry.first = system_.config.retry.max = 1h;
  system_.start();
  system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(rows().contains("s/outbound/0"));
  system_.log.set_bytes_free(kMuchRoom);
  EVENTUALLY(system_.parked().size() == 1);
  EXPECT_EQ(system_.parked().front().attempts(), 1U);
  EXPECT_FALSE(rows().contains("s/outbound/0"));
}

TEST_F(SenderOnAFullLog, TheAgeEndsWhatIsKept) {
  system_.start();
  system_.put({.expires_in = 300ms});
  EVENTUALLY(system_.count(v1::EXPIRED) == 1);
  EVENTUALLY(system_.committed() == 1);
  EXPECT_THAT(system_.story(), ElementsAre("expired one@a.example 450 MAIL"));
}

TEST_F(SenderOnAFullLog, ParkedMailIsTriedAgainAndItsRowStaysAsItWas) {
  system_.log.set_bytes_free(kMuchRoom);
  system_.start();
  system_.put({});
  EVENTUALLY(system_.parked().size() == 1);
  system_.log.set_bytes_free(0);
  // A written attempt is committed before the next begins.
  EVENTUALLY(attempts() >= system_.count(v1::DEFERRED) + 2);
  const std::size_t deferred = system_.count(v1::DEFERRED);
  const std::size_t tried = attempts();
  EVENTUALLY(attempts() >= tried + 5);
  EXPECT_EQ(system_.count(v1::DEFERRED), deferred);
  answers_ = true;
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EVENTUALLY(rows().empty());
}

TEST_F(SenderOnAFullLog, MailBehindASlowLaneStaysInTheWindow) {
  system_.config.window.records = 8;
  system_.config.window.lane_share = 2;
  system_.config.window.patience = 10ms;
  system_.start();
  for (int i = 0; i < 12; ++i) system_.put({});
  EVENTUALLY(attempts() >= 40);
  EXPECT_THAT(rows(), IsEmpty());
  answers_ = true;
  EVENTUALLY(system_.count(v1::DELIVERED) == 12);
  EVENTUALLY(system_.committed() == 12);
  EXPECT_EQ(peer_.mails().size(), 12U);
}

}  // namespace
}  // namespace godwit::sender
