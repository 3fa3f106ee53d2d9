// What becomes of each recipient of an attempt, and the ways to a mail host.

#include "sender/role_test_support.h"

#include <atomic>

namespace godwit::sender {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

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
  EXPECT_EQ(system.retries().size(), deferred ? 2U : 0U);  // d/ and c/
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
  const auto rows = system.retries();
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

}  // namespace
}  // namespace godwit::sender
