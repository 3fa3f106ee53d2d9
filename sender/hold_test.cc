// Outcome unknown, the tenant's policy, and what operators decide.

#include "sender/role_test_support.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "common/log/log.h"
#include "common/record/records.h"

namespace godwit::sender {
namespace {

using control::OutcomeUnknown;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class SenderThatHolds : public testing::Test {
 protected:
  SenderThatHolds() {
    system_.route_all_to(peer_.port());
    system_.control.tenants.at("acme").outcome_unknown = OutcomeUnknown::kHold;
    // An attempt that should not be made would be made at once.
    system_.config.retry = {.first = 10ms, .factor = 1, .jitter = 0, .after_unknown = 10ms};
  }

  // Whoever is held in the table now.
  [[nodiscard]] std::vector<std::string> held() const {
    std::vector<std::string> addresses;
    for (const auto& [key, value] : system_.retries()) {
      if (!key.starts_with("d/")) continue;
      const auto delivery = record::decode_delivery(Rope(Bytes::copy_of(value))).value();
      for (const v1::Recipient& recipient : delivery.envelope.recipients()) {
        if (recipient.held() != 0) addresses.push_back(recipient.address());
      }
    }
    return addresses;
  }
  void decide(const MessageId& id, v1::Decision::What what, const std::set<std::uint32_t>& about) {
    record::Delivery decision;
    decision.head.set_version(record::kDecisionVersion);
    decision.head.set_message_id(std::string(id.octets()));
    decision.head.mutable_decision()->set_what(what);
    decision.head.mutable_decision()->set_actor("ann");
    for (const std::uint32_t index : about) {
      auto& recipient = *decision.envelope.add_recipients();
      recipient.set_index(index);
      recipient.set_held(1);  // since the first attempt
    }
    system_.put_octets(record::encode(decision).value().to_string());
  }
  [[nodiscard]] std::size_t mails() const { return peer_.mail_times().size(); }

  std::atomic<int> closes_{1000};  // so many final dots are not answered
  std::atomic<bool> defers_two_{false};
  FakePeer peer_{[this](Stage stage, const std::string& line, int) -> std::string {
    if (stage == Stage::kRcpt && defers_two_ && line.find("two@") != std::string::npos) {
      return "450 4.2.0 later";
    }
    if (stage == Stage::kDot && closes_-- > 0) return FakePeer::kClose;
    return {};
  }};
  FakeMailSystem system_;
};

TEST_F(SenderThatHolds, WhoseOutcomeIsUnknownIsNotTriedAgain) {
  system_.start();
  system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(held().size() == 2);
  EXPECT_THAT(system_.story(), ElementsAre("deferred one@a.example 0 dot unknown",
                                           "deferred two@a.example 0 dot unknown"));
  const std::vector<record::Event> events = system_.events();
  for (const record::Event& event : events) {
    EXPECT_TRUE(event.head.held());
    EXPECT_EQ(event.head.due_unix_ms(), 0) << "nobody knows when, or whether";
  }
  EXPECT_EQ(system_.committed(), 1);
  const std::vector<v1::Delivery> parked = system_.parked();
  ASSERT_THAT(parked, SizeIs(1));
  EXPECT_EQ(system_.metric("godwit_sender_held"), 2);
  EXPECT_EQ(parked.front().due_unix_ms(), parked.front().expires_unix_ms());
  // Others go on, and so does this one's owner after a restart.
  closes_ = 0;
  system_.put({.recipients = {"three"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  system_.stop();
  EXPECT_EQ(system_.metric("godwit_sender_held"), 0) << "who has no partition holds nobody";
  system_.start();
  system_.put({.recipients = {"four"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  EXPECT_EQ(system_.metric("godwit_sender_held"), 2);
  EXPECT_EQ(mails(), 3U);
  EXPECT_THAT(held(), SizeIs(2));
}

TEST_F(SenderThatHolds, ByDefaultItIsTriedAgain) {
  system_.control.tenants.at("acme").outcome_unknown = OutcomeUnknown::kRetry;
  closes_ = 1;
  system_.start();
  system_.put({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  const std::vector<record::Event> events = system_.events();
  EXPECT_FALSE(events.front().head.held());
  EXPECT_EQ(mails(), 2U);
}

TEST_F(SenderThatHolds, ThoseWhoseOutcomeIsKnownGoOn) {
  defers_two_ = true;
  closes_ = 1;
  system_.start();
  const MessageId id = system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(mails() >= 3);  // two is deferred a few times more
  EXPECT_THAT(held(), ElementsAre("one@a.example"));
  defers_two_ = false;
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  const std::vector<FakePeer::Mail> taken = peer_.mails();
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_THAT(taken.front().recipients, ElementsAre("two@a.example"));
  const auto waits_for_its_age = [&] {
    const std::vector<v1::Delivery> parked = system_.parked();
    return parked.size() == 1 && parked.front().due_unix_ms() == parked.front().expires_unix_ms();
  };
  EVENTUALLY(waits_for_its_age());
  EXPECT_THAT(held(), ElementsAre("one@a.example"));
  EXPECT_EQ(system_.metric("godwit_sender_held"), 1);
  decide(id, v1::Decision::DELIVERED, {0, 1});
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(system_.metric("godwit_sender_held"), 0);
  EXPECT_EQ(system_.count(v1::DELIVERED), 2U);
}

class ADecision : public SenderThatHolds, public testing::WithParamInterface<v1::Decision::What> {};

TEST_P(ADecision, IsCarriedOutOnce) {
  closes_ = 1;
  system_.start();
  const MessageId id = system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(held().size() == 2);
  decide(id, GetParam(), {1});
  EVENTUALLY(held() == std::vector<std::string>{"one@a.example"});
  EVENTUALLY(system_.committed() == 2);
  // Again, and about nobody: nothing follows.
  decide(id, GetParam(), {1});
  decide(MessageId{}, GetParam(), {0});
  EVENTUALLY(system_.committed() == 4);
  decide(id, GetParam(), {0});
  EVENTUALLY(system_.retries().empty());
  const bool failed = GetParam() == v1::Decision::FAILED;
  EXPECT_EQ(system_.count(failed ? v1::BOUNCED : v1::DELIVERED), 2U);
  EXPECT_EQ(system_.events().size(), 4U);
  EXPECT_EQ(mails(), GetParam() == v1::Decision::RETRY ? 3U : 1U);
  if (GetParam() == v1::Decision::RETRY) return;
  const std::vector<record::Event> events = system_.events();
  for (const record::Event& event : events) {
    if (event.head.type() == v1::DEFERRED) continue;
    EXPECT_EQ(event.head.reply().text(), "ended by ann: whether the host has it was not known");
    EXPECT_EQ(event.head.outcome(), v1::Event::OUTCOME_UNKNOWN);
    EXPECT_EQ(event.head.attempt(), 1U);
    EXPECT_EQ(event.head.has_notice(), failed) << "its sender is told";
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ADecision,
                         testing::Values(v1::Decision::RETRY, v1::Decision::DELIVERED,
                                         v1::Decision::FAILED),
                         [](const auto& info) { return v1::Decision::What_Name(info.param); });

TEST_F(SenderThatHolds, ADecisionThatWasNotCommittedIsCarriedOutByTheNextOwner) {
  closes_ = 1;
  system_.start();
  const MessageId id = system_.put({});
  EVENTUALLY(held().size() == 1);
  system_.stop();
  decide(id, v1::Decision::FAILED, {0});
  system_.start();
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(system_.count(v1::BOUNCED), 1U);
  EVENTUALLY(system_.committed() == 2);
}

// It was given before the recipient was held again.
TEST_F(SenderThatHolds, ADecisionCountsForOneAttemptOnly) {
  closes_ = 2;
  system_.start();
  const MessageId id = system_.put({});
  EVENTUALLY(held().size() == 1);
  for (int i = 0; i < 3; ++i) decide(id, v1::Decision::RETRY, {0});
  EVENTUALLY(system_.committed() == 4);
  EVENTUALLY(system_.count(v1::DEFERRED) == 2);
  EVENTUALLY(held().size() == 1);
  decide(id, v1::Decision::RETRY, {0});
  EVENTUALLY(system_.committed() == 5);
  EXPECT_EQ(mails(), 2U);
}

TEST_F(SenderThatHolds, TheAgeRunsOn) {
  system_.start();
  system_.put({.expires_in = 2s});
  EVENTUALLY(held().size() == 1);
  EVENTUALLY(system_.count(v1::EXPIRED) == 1);
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(mails(), 1U);
}

// The reserve of the log is for endings; that somebody is held is written all the same: read as it was, he would be
// attempted again.
TEST_F(SenderThatHolds, AlsoWhenOnlyTheReserveIsLeft) {
  system_.log.set_bytes_free(0);
  system_.start();
  system_.put({});
  EVENTUALLY(system_.count(v1::DEFERRED) == 1);
  const auto is_written = [&] {
    const auto rows = system_.retries();
    return std::ranges::any_of(rows, [](const auto& row) { return row.first.starts_with("s/"); });
  };
  EVENTUALLY(is_written());
  system_.stop();
  system_.start();
  closes_ = 0;
  system_.put({.recipients = {"two"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_EQ(mails(), 2U);
  system_.log.set_bytes_free(1ull << 40);
  EVENTUALLY(held().size() == 1);
  EXPECT_EQ(mails(), 2U);
}

TEST_F(SenderThatHolds, AnOutcomeWhoseCommitHadNoAnswerIsHeldAsWell) {
  std::atomic<bool> at_dot = false;
  std::atomic<bool> answer = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage != Stage::kDot) return std::string();
    at_dot = true;
    (void)FakeMailSystem::eventually([&] { return answer.load(); });
    return std::string(FakePeer::kClose);
  });
  system_.route_all_to(peer.port());
  system_.start();
  system_.put({});
  EVENTUALLY(at_dot.load());
  system_.log.unknown_next(false);
  answer = true;
  EVENTUALLY(!system_.role().problem().empty());
  system_.log.assign("sender", 0);
  EVENTUALLY(held().size() == 1);
  EXPECT_EQ(peer.mail_times().size(), 1U);
}

}  // namespace
}  // namespace godwit::sender
