// Records that cannot be handled.

#include "sender/role_test_support.h"

#include <atomic>

#include "common/admin/dead_desk.h"
#include "common/base/check.h"
#include "common/base/test_directory.h"
#include "common/poison/fake_death.h"
#include "common/record/keys.h"

namespace godwit::sender {
namespace {

using testing::UnorderedElementsAre;

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

// Content in `bodies`, between whose chunks another writer's stand.
class ContentInBodies : public testing::Test {
 protected:
  ContentInBodies() {
    system_.log.interleave(log::Topic::kBodies);
    system_.route_all_to(peer_.port());
    system_.start();
    while (content_.size() < 1'200'000)
      content_ += "line " + std::to_string(content_.size()) + "\r\n";
  }
  FakePeer peer_;
  FakeMailSystem system_;
  std::string content_ = "Subject: long\r\n\r\n";
};

TEST_F(ContentInBodies, IsPutTogetherFromItsOwnChunks) {
  system_.put({.content = content_, .in_bodies = true});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  ASSERT_EQ(peer_.mails().size(), 1U);
  EXPECT_EQ(peer_.mails()[0].content, content_);
}

TEST_F(ContentInBodies, OfAnotherChecksumIsNotSent) {
  system_.put({.content = content_, .in_bodies = true, .wrong_checksum = true});
  EVENTUALLY(system_.log.rows({log::Topic::kDead, 0}).size() == 1);
  EXPECT_TRUE(peer_.mails().empty());
  EXPECT_EQ(system_.count(v1::DELIVERED), 0U);
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
  const TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  poison::fake_deaths(file, {{{{log::Topic::kOutbound, 0}, 0}, GetParam()}});
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
  EXPECT_EQ(delivery->data.to_string(), Mail{}.content);
}

TEST_P(InHandAtThreeCrashes, IsDeliveredWhenItIsRetriedAfterItsSegmentsAreGone) {
  FakePeer peer;
  const TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  poison::fake_deaths(file, {{{{log::Topic::kOutbound, 0}, 0}, GetParam()}});
  FakeMailSystem system;
  system.read_slots(file);
  system.route_all_to(peer.port());
  system.start();
  system.put({.recipients = {"poison"}});
  EVENTUALLY(system.committed() == 1);
  const std::string key = system.log.rows({log::Topic::kDead, 0}).begin()->first;
  system.log.trim({log::Topic::kAccepted, 0}, 1);
  admin::DeadDesk desk(system.log, system_clock(), "node.example");
  ASSERT_TRUE(desk.retry(key));
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_EQ(peer.mails().at(0).content, Mail{}.content);
  EXPECT_TRUE(system.log.rows({log::Topic::kDead, 0}).empty());
}

INSTANTIATE_TEST_SUITE_P(Each, InHandAtThreeCrashes,
                         testing::Values(poison::Step::kDecode, poison::Step::kContent,
                                         poison::Step::kTransaction),
                         [](const auto& info) {
                           return std::string(poison::step_name(info.param));
                         });

TEST(SenderRole, TwoCrashesInHandHarmNobody) {
  FakePeer peer;
  const TestDirectory directory;
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
  const TestDirectory directory;
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
  poison::fake_deaths(file, {{{{log::Topic::kRetries, 0}, row}, poison::Step::kTransaction}});
  system.read_slots(file);
  system.start();
  EVENTUALLY(system.log.rows({log::Topic::kDead, 0}).size() == 1);
  const record::Dead dead = only_dead(system);
  EXPECT_EQ(dead.head.crashes(), 3U);
  EXPECT_EQ(dead.head.key(), record::delivery_key(DeliveryId{id, 0}));
  EXPECT_EQ(record::decode_delivery(dead.value).value().data.to_string(), Mail{}.content);
  EVENTUALLY(system.retries().empty());
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

}  // namespace
}  // namespace godwit::sender
