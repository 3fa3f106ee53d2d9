// The whole role against mail hosts that do what the test says: over real sockets, on a log in memory.

#include "sender/role.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "common/base/check.h"
#include "common/log/test_directory.h"
#include "common/poison/fake_death.h"
#include "common/record/keys.h"
#include "sender/fake_mail_system.h"
#include "sender/fake_peer.h"

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;
using Stage = FakePeer::Stage;
using Mail = FakeMailSystem::Mail;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

FakePeer::Script at_stage(Stage wanted, std::string reply) {
  return [wanted, reply](Stage stage, const std::string&, int) {
    return stage == wanted ? reply : std::string();
  };
}

#define EVENTUALLY(condition) ASSERT_TRUE(FakeMailSystem::eventually([&] { return (condition); }))

TEST(SenderRole, DeliversAndSaysSo) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  const MessageId id =
      system.put({.recipients = {"one", "two"}, .content = "Subject: x\r\n\r\n..dot\r\n"});
  EVENTUALLY(system.count(v1::DELIVERED) == 2);
  EVENTUALLY(system.committed() == 1);
  ASSERT_EQ(peer.mails().size(), 1U);
  const FakePeer::Mail mail = peer.mails().front();
  EXPECT_EQ(mail.sender, "sender@acme.example");
  EXPECT_EQ(mail.recipients, (std::vector<std::string>{"one@a.example", "two@a.example"}));
  EXPECT_EQ(mail.content, "Subject: x\r\n\r\n..dot\r\n");
  EXPECT_TRUE(system.parked().empty());
  const record::Event event = system.events().front();
  EXPECT_EQ(event.head.message_id(), id.octets());
  EXPECT_EQ(event.head.attempt(), 1U);
  EXPECT_EQ(event.head.site(), "a.example");
  EXPECT_EQ(event.head.source(), "default");
  EXPECT_EQ(event.head.remote().address(), "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_EQ(event.head.reply().code(), 250U);
  EXPECT_EQ(event.head.reply().enhanced(), "2.0.0");
  EXPECT_EQ(event.addresses.sender(), "sender@acme.example");
}

TEST(SenderRole, AnEventOfCapturedMailNamesTheCapture) {
  FakePeer peer;
  FakeMailSystem system;
  system.capture = net::Address{net::IpAddress::from_text("127.0.0.1").value(), peer.port()};
  system.config.routes = {{.domain = "*", .to = "capture"}};
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_EQ(system.events().front().head.remote().host(), "capture");
  EXPECT_EQ(system.events().front().head.remote().address(),
            "127.0.0.1:" + std::to_string(peer.port()));
}

struct StageCase {
  Stage stage;
  std::string reply;
  std::string story;  // of one recipient
};
void PrintTo(const StageCase& test, std::ostream* out) {
  *out << static_cast<int>(test.stage) << " " << test.reply;
}

class EveryStage : public testing::TestWithParam<StageCase> {};

TEST_P(EveryStage, HasTheRightOutcomeForEachRecipient) {
  FakePeer peer(at_stage(GetParam().stage, GetParam().reply));
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put({.recipients = {"one", "two"}});
  EVENTUALLY(system.events().size() >= 2 && system.committed() == 1);
  std::string second = GetParam().story;
  second.replace(second.find("one@"), 3, "two");
  EXPECT_THAT(system.story(), ElementsAre(GetParam().story, second));
  EXPECT_TRUE(peer.mails().empty());
  const bool deferred = GetParam().story.starts_with("deferred");
  ASSERT_EQ(system.parked().size(), deferred ? 1U : 0U);
  if (deferred) {
    EXPECT_EQ(system.parked().front().attempts(), 1U);
    EXPECT_GE(
        system.parked().front().due_unix_ms(),
        to_unix_ms(system_clock().now() + (GetParam().story.ends_with("unknown") ? 9min : 50min)));
  }
  EXPECT_EQ(system.log.rows({log::Topic::kRetries, 0}).size(), deferred ? 2U : 0U);  // d/ and c/
}

INSTANTIATE_TEST_SUITE_P(
    SenderRole, EveryStage,
    testing::Values(StageCase{Stage::kBanner, "450 4.3.2 no", "deferred one@a.example 450 banner"},
                    StageCase{Stage::kBanner, "554 5.7.1 no", "deferred one@a.example 554 banner"},
                    StageCase{Stage::kBanner, "421 4.3.2 no", "deferred one@a.example 421 banner"},
                    StageCase{Stage::kBanner, FakePeer::kClose, "deferred one@a.example 0 banner"},
                    StageCase{Stage::kEhlo, "450 no", "deferred one@a.example 450 EHLO"},
                    StageCase{Stage::kEhlo, "550 no", "deferred one@a.example 550 EHLO"},
                    StageCase{Stage::kEhlo, "421 no", "deferred one@a.example 421 EHLO"},
                    StageCase{Stage::kEhlo, FakePeer::kClose, "deferred one@a.example 0 EHLO"},
                    StageCase{Stage::kMail, "450 4.2.0 later", "deferred one@a.example 450 MAIL"},
                    StageCase{Stage::kMail, "550 5.7.1 no", "bounced one@a.example 550 MAIL"},
                    StageCase{Stage::kMail, "421 4.3.2 no", "deferred one@a.example 421 MAIL"},
                    StageCase{Stage::kMail, FakePeer::kClose, "deferred one@a.example 0 MAIL"},
                    StageCase{Stage::kRcpt, "450 4.2.0 later", "deferred one@a.example 450 RCPT"},
                    StageCase{Stage::kRcpt, "550 5.1.1 unknown", "bounced one@a.example 550 RCPT"},
                    StageCase{Stage::kRcpt, "421 4.3.2 no", "deferred one@a.example 421 RCPT"},
                    StageCase{Stage::kRcpt, FakePeer::kClose, "deferred one@a.example 0 RCPT"},
                    StageCase{Stage::kData, "450 4.2.0 later", "deferred one@a.example 450 DATA"},
                    StageCase{Stage::kData, "554 5.6.0 no", "bounced one@a.example 554 DATA"},
                    StageCase{Stage::kData, "421 4.3.2 no", "deferred one@a.example 421 DATA"},
                    StageCase{Stage::kData, FakePeer::kClose, "deferred one@a.example 0 DATA"},
                    StageCase{Stage::kDot, "450 4.2.0 later", "deferred one@a.example 450 dot"},
                    StageCase{Stage::kDot, "554 5.6.0 no", "bounced one@a.example 554 dot"},
                    StageCase{Stage::kDot, "421 4.3.2 no", "deferred one@a.example 421 dot"},
                    StageCase{Stage::kDot, FakePeer::kClose,
                              "deferred one@a.example 0 dot unknown"}));

TEST(SenderRole, EachRecipientOfATransactionHasItsOwnOutcome) {
  FakePeer peer([](Stage stage, const std::string& line, int) -> std::string {
    if (stage != Stage::kRcpt) return {};
    if (line.find("<gone@") != std::string::npos) return "550 5.1.1 unknown";
    if (line.find("<full@") != std::string::npos) return "450 4.2.2 full";
    return {};
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put({.recipients = {"one", "gone", "full", "two"}});
  EVENTUALLY(system.events().size() == 4 && system.committed() == 1);
  EXPECT_THAT(system.story(),
              ElementsAre("delivered one@a.example 250 dot", "bounced gone@a.example 550 RCPT",
                          "deferred full@a.example 450 RCPT", "delivered two@a.example 250 dot"));
  ASSERT_EQ(system.parked().size(), 1U);
  const auto rows = system.log.rows({log::Topic::kRetries, 0});
  const auto parked = record::decode_delivery(Rope(Bytes::copy_of(rows.rbegin()->second)));
  ASSERT_TRUE(parked.has_value());
  ASSERT_EQ(parked->envelope.recipients_size(), 1);
  EXPECT_EQ(parked->envelope.recipients(0).address(), "full@a.example");
  EXPECT_EQ(parked->envelope.recipients(0).index(), 2U);
}

TEST(SenderRole, TooManyRecipientsForOneTransactionGoInTheNext) {
  std::atomic<int> taken = 0;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    if (stage == Stage::kMail) taken = 0;
    if (stage == Stage::kRcpt && ++taken > 2) return "452 4.5.3 Too many recipients";
    return {};
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put({.recipients = {"r1", "r2", "r3", "r4", "r5"}});
  EVENTUALLY(system.count(v1::DELIVERED) == 5);
  EXPECT_EQ(peer.mails().size(), 3U);
  EXPECT_EQ(system.events().size(), 5U);
  EXPECT_TRUE(system.parked().empty());
}

TEST(SenderRole, RecipientsAreSplitIntoBatches) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back({.is_default = true, .max_recipients_per_batch = 2});
  system.start();
  system.put({.recipients = {"r1", "r2", "r3", "r4", "r5"}});
  EVENTUALLY(system.count(v1::DELIVERED) == 5);
  std::vector<std::size_t> batches;
  for (const auto& mail : peer.mails()) batches.push_back(mail.recipients.size());
  EXPECT_THAT(batches, ElementsAre(2U, 2U, 1U));
  EXPECT_EQ(peer.connections(), 1);
}

TEST(SenderRole, DefersThenDelivers) {
  std::atomic<int> tries = 0;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kRcpt && ++tries <= 2 ? "450 4.7.1 greylisted" : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry = {.first = 50ms, .factor = 1.5, .jitter = 0};
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EVENTUALLY(system.log.rows({log::Topic::kRetries, 0}).empty());  // d/ and c/ are gone
  EXPECT_THAT(system.story(),
              ElementsAre("deferred one@a.example 450 RCPT", "deferred one@a.example 450 RCPT",
                          "delivered one@a.example 250 dot"));
  std::vector<std::uint32_t> attempts;
  for (const auto& event : system.events()) attempts.push_back(event.head.attempt());
  EXPECT_THAT(attempts, ElementsAre(1U, 2U, 3U));
  EXPECT_EQ(peer.mails().front().content, Mail{}.content);
}

TEST(SenderRole, ALargeContentIsParkedInPartsAndComesBackWhole) {
  std::atomic<int> tries = 0;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kMail && ++tries == 1 ? "450 4.7.1 later" : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry = {.first = 50ms};
  system.start();
  std::string content = "Subject: large\r\n\r\n";
  while (content.size() < 500'000) content += "0123456789012345678901234567890123456789\r\n";
  system.put({.content = content});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_EQ(peer.mails().front().content, content);
  EVENTUALLY(system.log.rows({log::Topic::kRetries, 0}).empty());
}

TEST(SenderRole, ExpiresWhenItsAgeIsOver) {
  FakePeer peer(at_stage(Stage::kRcpt, "450 4.2.2 full"));
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry.first = 10s;
  system.start();
  system.put({.recipients = {"one", "two"}, .expires_in = 400ms});
  EVENTUALLY(system.count(v1::EXPIRED) == 2);
  EVENTUALLY(system.log.rows({log::Topic::kRetries, 0}).empty());
  EXPECT_THAT(system.story(),
              ElementsAre("deferred one@a.example 450 RCPT", "deferred two@a.example 450 RCPT",
                          "expired one@a.example 450 RCPT", "expired two@a.example 450 RCPT"));
  EXPECT_EQ(system.events().back().head.class_(), "quota-issues");
}

TEST(SenderRole, AnExpiredDeliveryIsNotAttempted) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put({.expires_in = -1s});
  EVENTUALLY(system.committed() == 1);
  EXPECT_THAT(system.story(), ElementsAre("expired one@a.example 0 "));
  EXPECT_EQ(peer.connections(), 0);
}

TEST(SenderRole, ScheduledMailWaitsForItsTime) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  const auto put_at = std::chrono::steady_clock::now();
  system.put({.due_in = 1500ms});
  EVENTUALLY(system.committed() == 1);  // parked: its offset is finished before it is sent
  EXPECT_EQ(system.parked().size(), 1U);
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_GE(peer.mails().front().at - put_at, 1490ms);
  EXPECT_EQ(system.events().front().head.attempt(), 1U);
}

TEST(SenderRole, AttemptsAndDueTimesSurviveARestart) {
  std::atomic<bool> better = false;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kRcpt && !better ? "450 4.7.1 later" : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry = {.first = 600ms, .factor = 1, .jitter = 0};
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DEFERRED) == 2 && system.parked().size() == 1 &&
             system.parked().front().attempts() == 2);
  const std::int64_t due = system.parked().front().due_unix_ms();
  system.stop();
  better = true;
  system.start();
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  const auto events = system.events();
  EXPECT_EQ(events.back().head.attempt(), events.size());
  EXPECT_GE(events.back().head.time_unix_ms(), due);
}

TEST(SenderRole, WhatWasFinishedOutOfOrderIsNotRepeatedAfterARestart) {
  std::atomic<bool> open = false;
  FakePeer slow([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kBanner && !open ? FakePeer::kHang : std::string();
  });
  FakePeer fast;
  FakeMailSystem system;
  system.config.routes = {
      {.domain = "slow.example", .to = "127.0.0.1:" + std::to_string(slow.port())},
      {.domain = "*", .to = "127.0.0.1:" + std::to_string(fast.port())}};
  system.start();
  system.put({.domain = "slow.example"});
  for (int i = 0; i < 10; ++i) system.put({.domain = "fast.example"});
  EVENTUALLY(system.count(v1::DELIVERED) == 10);
  EVENTUALLY(system.log.rows({log::Topic::kRetries, 0}).contains("!position"));
  EXPECT_EQ(system.committed(), 0);
  system.log.crash();
  system.stop(100ms);
  open = true;
  system.start();
  EVENTUALLY(system.count(v1::DELIVERED) == 11);
  EVENTUALLY(system.committed() == 11);
  EXPECT_EQ(fast.mails().size(), 10U);
  EXPECT_EQ(slow.mails().size(), 1U);
  EXPECT_FALSE(system.log.rows({log::Topic::kRetries, 0}).contains("!position"));
}

// --- order ---

TEST(SenderRole, WhatWasNotCommittedIsDoneAgain) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put({});
  EVENTUALLY(system.committed() == 1);
  FakePeer holding([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) system.log.hold();
    return std::string();
  });
  system.stop();
  system.route_all_to(holding.port());
  system.start();
  system.put({});
  EVENTUALLY(holding.mails().size() == 1);
  EVENTUALLY(system.log.writes_waiting() > 0);
  EXPECT_EQ(system.committed(), 1);
  system.log.crash();  // between the 250 and the disk
  system.log.release();
  system.stop(100ms);
  EXPECT_EQ(system.count(v1::DELIVERED), 1U);
  EXPECT_EQ(system.committed(), 1);
  system.route_all_to(peer.port());
  system.start();
  EVENTUALLY(system.committed() == 2);
  EXPECT_EQ(peer.mails().size(), 2U);
  EXPECT_EQ(system.count(v1::DELIVERED), 2U);
}

TEST(SenderRole, AParkedDeliveryIsNotDueBeforeItsCommit) {
  FakeMailSystem system;
  std::atomic<bool> held = false;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    if (stage != Stage::kMail) return {};
    if (!held.exchange(true)) system.log.hold();
    return "450 4.2.0 later";
  });
  system.route_all_to(peer.port());
  system.config.retry = {.first = 1ms, .max = 1ms, .jitter = 0};
  system.start();
  system.put({});
  EVENTUALLY(system.log.writes_waiting() > 0);
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(peer.mail_times().size(), 1U);
  system.log.sync();
  EVENTUALLY(peer.mail_times().size() == 2);
  system.log.release();
}

TEST(SenderRole, NothingNewBeginsWhileACommitIsLate) {
  FakeMailSystem system;
  std::atomic<bool> held = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot && !held.exchange(true)) system.log.hold();
    return std::string();
  });
  system.route_all_to(peer.port());
  system.config.commit_age_max = 100ms;
  system.control.shaping.push_back(
      {.is_default = true, .max_message_rate = control::Rate{.count = 2, .per = 1s}});
  system.start();
  system.put({});
  EVENTUALLY(peer.mail_times().size() == 1 && system.log.writes_waiting() > 0);
  system.put_unsynced({});
  std::this_thread::sleep_for(900ms);
  EXPECT_EQ(peer.mail_times().size(), 1U);
  system.log.release();
  EVENTUALLY(system.count(v1::DELIVERED) == 2);
}

TEST(SenderRole, TheFinalDotWaitsUntilTheIntakeIsOnDisk) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.log.hold();
  system.put_unsynced({});
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(peer.mails().empty());
  system.log.release();
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
}

TEST(SenderRole, OutcomesAreKeptUntilTheLogTakesThem) {
  FakeMailSystem system;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) {
      system.log.fail_next(make_error_code(log::Errc::kNoSpace));
      system.log.fail_next(make_error_code(log::Errc::kUnavailable));
    }
    return std::string();
  });
  system.route_all_to(peer.port());
  system.start();
  system.put({});
  EVENTUALLY(!system.role().problem().empty());
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EVENTUALLY(system.committed() == 1);
  EVENTUALLY(system.role().problem().empty());
  EXPECT_EQ(peer.mails().size(), 1U);
}

TEST(SenderRole, AFencedOwnerStops) {
  FakeMailSystem system;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) system.log.fail_next(make_error_code(log::Errc::kFenced));
    return std::string();
  });
  system.route_all_to(peer.port());
  system.start();
  system.put({});
  EVENTUALLY(!system.role().problem().empty());
  EXPECT_THAT(system.role().problem(), HasSubstr("stopped"));
  EXPECT_TRUE(system.events().empty());
}

// --- ways ---

TEST(SenderRole, DnsDecidesWhatBecomesOfADomain) {
  FakeMailSystem system;
  system.dns.set_mx("null.example", {{0, ""}});
  system.dns.fail_mx("servfail.example", net::DnsOutcome::kServFail);
  system.dns.fail_mx("timeout.example", net::DnsOutcome::kTimeout);
  system.dns.fail_mx("bogus.example", net::DnsOutcome::kBogus);
  system.dns.set_mx("inside.example", {{10, "mx.inside.example"}});
  system.dns.add_address("mx.inside.example", "127.0.0.1");
  system.start();
  for (const char* domain : {"gone.example", "null.example", "servfail.example", "timeout.example",
                             "bogus.example", "inside.example"}) {
    system.put({.domain = domain});
  }
  EVENTUALLY(system.events().size() == 6);
  std::vector<std::string> story;
  for (const auto& event : system.events()) {
    story.push_back(event.addresses.recipient() + " " + event.head.reply().enhanced());
  }
  EXPECT_THAT(story, UnorderedElementsAre("one@gone.example 5.1.2", "one@null.example 5.1.10",
                                          "one@servfail.example 4.4.3", "one@timeout.example 4.4.3",
                                          "one@bogus.example 4.4.3", "one@inside.example 5.4.4"));
  EXPECT_EQ(system.count(v1::BOUNCED), 3U);
  EXPECT_EQ(system.count(v1::DEFERRED), 3U);
}

TEST(SenderRole, AnotherAddressIsTriedWhenOneRefuses) {
  FakePeer peer({}, {"PIPELINING"}, "127.0.0.3");
  FakeMailSystem system;
  system.config.routes = {{.domain = "*", .to = "mail.internal:" + std::to_string(peer.port())}};
  system.dns.add_address("mail.internal", "127.0.0.2");  // nobody listens
  system.dns.add_address("mail.internal", "127.0.0.3");
  system.start();
  for (int i = 0; i < 5; ++i) system.put({.domain = "d" + std::to_string(i) + ".example"});
  EVENTUALLY(system.count(v1::DELIVERED) == 5);
  EXPECT_EQ(system.events().size(), 5U);
}

TEST(SenderRole, NobodyThereIsDeferred) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  peer.stop_listening();
  system.start();
  system.put({});
  EVENTUALLY(system.events().size() == 1);
  EXPECT_THAT(system.story(), ElementsAre("deferred one@a.example 0 connect"));
  EXPECT_EQ(system.events().front().head.class_(), "no-answer-from-host");
}

TEST(SenderRole, WhatThePeerCannotTakeIsNotSent) {
  FakePeer peer({}, {"SIZE 30"});
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put({.domain = "size.example", .content = "Subject: longer than thirty octets\r\n\r\n"});
  system.put({.domain = "eight.example", .content = "\xc3\xbc\r\n", .has_8bit = true});
  system.put({.domain = "utf8.example", .content = "x\r\n", .smtputf8 = true});
  system.put({.domain = "ok.example", .content = "x\r\n"});
  EVENTUALLY(system.events().size() == 4);
  std::vector<std::string> story;
  for (const auto& event : system.events()) {
    story.push_back(event.addresses.recipient() + " " + event.head.reply().enhanced());
  }
  EXPECT_THAT(story, UnorderedElementsAre("one@size.example 5.3.4", "one@eight.example 5.6.3",
                                          "one@utf8.example 5.6.7", "one@ok.example 2.0.0"));
  EXPECT_EQ(peer.mails().size(), 1U);
}

// --- lanes ---

TEST(SenderRole, AConnectionIsReusedUpToItsLimit) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back(
      {.is_default = true, .connection_limit = 1, .max_deliveries_per_connection = 4});
  system.start();
  for (int i = 0; i < 10; ++i) system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 10);
  std::map<int, int> carried;
  for (const auto& mail : peer.mails()) ++carried[mail.connection];
  for (const auto& [connection, mails] : carried) EXPECT_LE(mails, 4);
  EXPECT_GE(peer.connections(), 3);
  EXPECT_EQ(peer.connections_open_max(), 1);
}

TEST(SenderRole, TheConnectionLimitHolds) {
  FakePeer peer([](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) std::this_thread::sleep_for(10ms);
    return std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back({.is_default = true, .connection_limit = 3});
  system.start();
  for (int i = 0; i < 60; ++i) system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 60);
  EXPECT_EQ(peer.connections_open_max(), 3);
}

TEST(SenderRole, TheMessageRateIsNeverExceededAndIsReached) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back(
      {.is_default = true, .max_message_rate = control::Rate{.count = 100, .per = 1s}});
  system.start();
  for (int i = 0; i < 151; ++i) system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 151);
  auto times = peer.mail_times();
  std::ranges::sort(times);
  ASSERT_EQ(times.size(), 151U);
  // 150 gaps of 10 ms; what the network shifts a single message by is not the limiter's.
  EXPECT_GE(times.back() - times.front(), 1480ms);
  for (std::size_t i = 50; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 50], 470ms) << i;
  }
}

TEST(SenderRole, ASlowSiteDoesNotHoldUpTheOthers) {
  FakePeer slow(at_stage(Stage::kBanner, FakePeer::kHang));
  FakePeer fast;
  FakeMailSystem system;
  system.config.routes = {
      {.domain = "slow.example", .to = "127.0.0.1:" + std::to_string(slow.port())},
      {.domain = "*", .to = "127.0.0.1:" + std::to_string(fast.port())}};
  // A window much smaller than the slow site's mail.
  system.config.window = {.records = 20, .patience = 50ms, .lane_share = 5, .parked = 20};
  system.start();
  for (int i = 0; i < 60; ++i) system.put({.domain = "slow.example"});
  system.put({.domain = "fast.example"});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_EQ(system.events().front().addresses.recipient(), "one@fast.example");
  EVENTUALLY(system.parked().size() >= 30U);
  for (const auto& parked : system.parked()) EXPECT_EQ(parked.attempts(), 0U);
}

TEST(SenderRole, WhatWasSetAsideBehindASlowLaneComesBackOnce) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.window = {.records = 20, .patience = 50ms, .lane_share = 5, .parked = 20};
  system.control.shaping.push_back({.is_default = true, .connection_limit = 0});
  system.start();
  for (int i = 0; i < 80; ++i) system.put({});
  EVENTUALLY(system.parked().size() >= 70);
  system.control.shaping.clear();
  system.publish();
  EVENTUALLY(system.count(v1::DELIVERED) == 80);
  EVENTUALLY(system.committed() == 80);
  EVENTUALLY(system.parked().empty());
  EXPECT_EQ(peer.mails().size(), 80U);
  EXPECT_EQ(system.events().size(), 80U);
}

TEST(SenderRole, ASpentSlowLimitSurvivesARestart) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back(
      {.is_default = true, .max_message_rate = control::Rate{.count = 1, .per = 1h}});
  system.start();
  system.put({});
  EVENTUALLY(system.committed() == 1);
  system.stop();
  EXPECT_EQ(system.log.rows({log::Topic::kRetries, 0}).size(), 1U);  // l/
  system.start();
  system.put({});
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(peer.mails().size(), 1U);
  const auto summary = system.role().summary({.by = admin::QueueBy::kLane}).value();
  ASSERT_EQ(summary.rows.size(), 1U);
  EXPECT_EQ(summary.rows[0].suspended, "max_message_rate");
}

TEST(SenderRole, UrgentMailGoesFirst) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back({.is_default = true, .connection_limit = 0});
  system.start();
  for (int i = 0; i < 20; ++i) system.put({});
  system.put({.recipients = {"reset"}, .urgent = true});
  EVENTUALLY(system.role().summary({}).value().counts.waiting == 21);
  system.control.shaping = {{.is_default = true, .connection_limit = 1}};
  system.publish();
  EVENTUALLY(system.count(v1::DELIVERED) == 21);
  EXPECT_EQ(peer.mails().front().recipients.front(), "reset@a.example");
}

// --- the end ---

TEST(SenderRole, DrainFinishesWhatIsOpenAndBeginsNothing) {
  std::atomic<bool> in_dot = false;
  std::atomic<bool> answer = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) {
      in_dot = true;
      (void)FakeMailSystem::eventually([&] { return answer.load(); });
    }
    return std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back({.is_default = true, .connection_limit = 1});
  system.start();
  system.put({});
  EVENTUALLY(in_dot.load());
  system.put({});
  std::thread later([&] {
    std::this_thread::sleep_for(100ms);
    answer = true;
  });
  system.drain();
  later.join();
  EXPECT_EQ(system.count(v1::DELIVERED), 1U);
  EXPECT_EQ(system.committed(), 1);
  EXPECT_EQ(peer.mails().size(), 1U);
}

TEST(SenderRole, AFinalDotStillOpenAtTheEndOfADrainIsUnknown) {
  std::atomic<bool> in_dot = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) in_dot = true;
    return stage == Stage::kDot ? std::string(FakePeer::kHang) : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry.first = 1s;
  system.start();
  system.put({});
  EVENTUALLY(in_dot.load());
  system.drain(200ms);
  EXPECT_THAT(system.story(), ElementsAre("deferred one@a.example 0 dot unknown"));
  EXPECT_EQ(system.committed(), 1);
  ASSERT_EQ(system.parked().size(), 1U);
  EXPECT_GE(system.parked().front().due_unix_ms(), to_unix_ms(system_clock().now() + 9min));
}

// --- bad records ---

TEST(SenderRole, ARecordThatCannotBeReadGoesToDead) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.start();
  system.put_octets("not a delivery at all");
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EVENTUALLY(system.committed() == 2);
  const auto dead = system.log.rows({log::Topic::kDead, 0});
  ASSERT_EQ(dead.size(), 1U);
  const auto record = record::decode_dead(Rope(Bytes::copy_of(dead.begin()->second)));
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->value.to_string(), "not a delivery at all");
  EXPECT_EQ(record->head.role(), "sender");
  EXPECT_FALSE(record->head.cause().empty());
}

record::Dead only_dead(const FakeMailSystem& system) {
  const auto dead = system.log.rows({log::Topic::kDead, 0});
  CHECK(dead.size() == 1, "{} rows", dead.size());
  return record::decode_dead(Rope(Bytes::copy_of(dead.begin()->second))).value();
}

// Of the first record of `outbound`.
class InHandAtThreeCrashes : public testing::TestWithParam<poison::Step> {};

TEST_P(InHandAtThreeCrashes, GoesToDeadAndTheOthersGoOn) {
  FakePeer peer;
  const log::TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  for (std::uint32_t crash = 1; crash <= poison::kCrashesMax; ++crash)
    poison::fake_death(file, {{{{log::Topic::kOutbound, 0}, 0}, GetParam()}});
  FakeMailSystem system;
  system.read_slots(file);
  system.route_all_to(peer.port());
  system.start();
  system.put({.recipients = {"poison"}});
  system.put({.recipients = {"one"}});
  system.put({.recipients = {"two"}});
  EVENTUALLY(system.committed() == 3);
  EXPECT_THAT(system.story(), UnorderedElementsAre("delivered one@a.example 250 dot",
                                                   "delivered two@a.example 250 dot"));
  const record::Dead dead = only_dead(system);
  EXPECT_EQ(dead.head.cause(),
            fmt::format("{}: in hand at 3 crashes", poison::step_name(GetParam())));
  EXPECT_EQ(dead.head.crashes(), 3U);
  EXPECT_EQ(dead.head.topic(), static_cast<std::uint32_t>(log::Topic::kOutbound));
  EXPECT_EQ(dead.head.offset(), 0);
  EXPECT_FALSE(dead.head.key().empty());
  EXPECT_EQ(dead.head.parts(), 1U);
  const auto delivery = record::decode_delivery(dead.value);
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->envelope.recipients(0).address(), "poison@a.example");
  // Past the window nothing else keeps the content.
  if (GetParam() == poison::Step::kTransaction) {
    EXPECT_EQ(delivery->data.to_string(), Mail{}.content);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, InHandAtThreeCrashes,
                         testing::Values(poison::Step::kDecode, poison::Step::kContent,
                                         poison::Step::kTransaction),
                         [](const auto& info) {
                           return std::string(poison::step_name(info.param));
                         });

TEST(SenderRole, TwoCrashesInHandHarmNobody) {
  FakePeer peer;
  const log::TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  for (int crash = 0; crash < 2; ++crash)
    poison::fake_death(file, {{{{log::Topic::kOutbound, 0}, 0}, poison::Step::kTransaction}});
  FakeMailSystem system;
  system.read_slots(file);
  system.route_all_to(peer.port());
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_TRUE(system.log.rows({log::Topic::kDead, 0}).empty());
}

TEST(SenderRole, AParkedDeliveryInHandAtThreeCrashesGoesToDead) {
  std::atomic<bool> later = true;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kRcpt && later ? "450 4.2.0 later" : std::string();
  });
  const log::TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  FakeMailSystem system;
  system.config.retry = {.first = 50ms, .factor = 1, .jitter = 0};
  system.route_all_to(peer.port());
  system.start();
  const MessageId id = system.put({});
  EVENTUALLY(system.parked().size() == 1);
  system.stop();
  later = false;
  const auto row = static_cast<log::Offset>(std::hash<DeliveryId>{}(DeliveryId{id, 0}) >> 1);
  for (std::uint32_t crash = 1; crash <= poison::kCrashesMax; ++crash)
    poison::fake_death(file, {{{{log::Topic::kRetries, 0}, row}, poison::Step::kTransaction}});
  system.read_slots(file);
  system.start();
  EVENTUALLY(system.log.rows({log::Topic::kDead, 0}).size() == 1);
  const record::Dead dead = only_dead(system);
  EXPECT_EQ(dead.head.crashes(), 3U);
  EXPECT_EQ(dead.head.key(), record::delivery_key(DeliveryId{id, 0}));
  EXPECT_EQ(record::decode_delivery(dead.value).value().data.to_string(), Mail{}.content);
  EVENTUALLY(system.log.rows({log::Topic::kRetries, 0}).empty());
  EXPECT_EQ(system.count(v1::DELIVERED), 0U);
}

TEST(SenderRole, ADeliveryWhoseContentIsLostGoesToDead) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back({.is_default = true, .connection_limit = 0});
  system.start();
  system.put({});
  EVENTUALLY(system.role().summary({}).value().counts.waiting == 1);
  system.log.corrupt({{log::Topic::kAccepted, 0}, 0});
  system.control.shaping.clear();
  system.publish();
  EVENTUALLY(system.committed() == 1);
  EXPECT_EQ(system.log.rows({log::Topic::kDead, 0}).size(), 1U);
  EXPECT_TRUE(system.events().empty());
}

TEST(SenderRole, CountsWhatItHolds) {
  FakePeer peer(at_stage(Stage::kRcpt, "450 4.2.0 later"));
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  system.start();
  system.put({.domain = "a.example", .recipients = {"one", "two"}, .partition = 0});
  system.put({.domain = "b.example", .partition = 1});
  const auto settled = [&] {
    const auto counts = system.role().summary({}).value().counts;
    return counts.parked == 3 && counts.waiting == 0 && counts.active == 0;
  };
  EVENTUALLY(settled());
  const auto by_domain = system.role().summary({.by = admin::QueueBy::kDomain}).value();
  ASSERT_EQ(by_domain.rows.size(), 2U);
  EXPECT_EQ(by_domain.rows[0].name, "a.example");
  EXPECT_EQ(by_domain.rows[0].counts.parked, 2U);
  EXPECT_EQ(system.role().summary({.by = admin::QueueBy::kTenant}).value().rows.at(0).counts.parked,
            3U);
  system.stop();
  system.start();
  EVENTUALLY(settled());
}

}  // namespace
}  // namespace godwit::sender
