// Lanes that change over to other partitions: what waits goes along, once, and limits hold.

#include "sender/role_test_support.h"

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "common/log/by_message.h"

namespace godwit::sender {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Every lane is in that partition, from now on.
void place_all(FakeMailSystem& system, log::PartitionId partition) {
  system.control.placement.before = system.control.placement.map;
  system.control.placement.map.slots = {{{0, control::kSlots - 1}, partition}};
  system.control.placement.effective_at = system_clock().now();
}

std::multiset<std::string> recipients_of(const FakePeer& peer) {
  std::multiset<std::string> all;
  for (const auto& mail : peer.mails()) all.insert(mail.recipients.begin(), mail.recipients.end());
  return all;
}

TEST(Moving, MailOfALaneThatIsElsewhereIsDeliveredThere) {
  FakePeer peer;
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  place_all(system, 1);
  system.start();
  system.put({.recipients = {"one", "two"}});
  system.put({.recipients = {"three"}, .urgent = true});
  EVENTUALLY(system.count(v1::DELIVERED) == 3);
  EVENTUALLY(system.committed(log::Topic::kOutbound, 1) == 1);
  EVENTUALLY(system.committed(log::Topic::kOutboundUrgent, 1) == 1);
  EXPECT_EQ(system.committed(log::Topic::kOutbound, 0), 1);
  EXPECT_EQ(recipients_of(peer).size(), 3U);
}

TEST(Moving, WhatWaitsGoesAlongWithItsHistory) {
  std::atomic<bool> later = true;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kRcpt && later ? "450 4.7.1 later" : std::string();
  });
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  system.config.retry = {.first = 300ms, .factor = 1, .jitter = 0};
  place_all(system, 0);
  system.start();
  system.put({.recipients = {"one", "two"}});
  EVENTUALLY(system.parked(0).size() == 1);
  place_all(system, 1);
  system.publish();
  later = false;
  EVENTUALLY(system.count(v1::DELIVERED) == 2);
  EVENTUALLY(system.retries().empty());  // d/ and c/ are gone
  EXPECT_THAT(system.retries(1), IsEmpty());
  EXPECT_EQ(system.events().back().head.attempt(), 2U) << "attempts are counted on";
  const auto moved = system.log.records({log::Topic::kOutbound, 1});
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(record::decode_delivery(moved[0].value)->head.history(0).cause(), "placement");
  EXPECT_EQ(peer.mails().size(), 1U);
  EXPECT_EQ(peer.mails().front().content, Mail{}.content);
}

TEST(Moving, MailInMemoryMovesWhenItsTimeComes) {
  FakePeer peer;
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  place_all(system, 0);
  system.control.shaping = {{.is_default = true, .max_message_rate = control::Rate{1, 1h}}};
  system.start();
  for (int i = 0; i < 20; ++i) system.put({.recipients = {"r" + std::to_string(i)}});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);  // the rest waits for an hour
  place_all(system, 1);
  system.control.placement.effective_at = system_clock().now() + 200ms;
  system.publish();
  EVENTUALLY(system.committed(log::Topic::kOutbound, 0) == 20);
  EXPECT_EQ(system.log.records({log::Topic::kOutbound, 1}).size(), 19U);
  EXPECT_LE(system.count(v1::DELIVERED), 2U) << "the limit went with the lane";
  system.control.shaping.clear();
  system.publish();
  EVENTUALLY(system.count(v1::DELIVERED) == 20);
  const std::multiset<std::string> all = recipients_of(peer);
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), 20U);
  EXPECT_EQ(all.size(), 20U) << "somebody got a second copy";
}

// Parked content that fits into no record goes into `bodies` first, where the chunks of others may stand between.
TEST(Moving, LargeParkedContentGoesAlong) {
  std::atomic<bool> later = true;
  FakePeer peer([&](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kMail && later ? "450 4.7.1 later" : std::string();
  });
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  system.config.retry = {.first = 300ms, .factor = 1, .jitter = 0};
  place_all(system, 0);
  system.start();
  std::string content = "Subject: large\r\n\r\n";
  while (content.size() <= log::kBodyChunkBytes)
    content += "0123456789012345678901234567890123456789\r\n";
  system.put({.content = content});
  EVENTUALLY(system.parked(0).size() == 1);
  system.log.interleave(log::Topic::kBodies);
  place_all(system, 1);
  system.publish();
  later = false;
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_EQ(peer.mails().front().content, content);
  const auto moved = system.log.records({log::Topic::kOutbound, 1});
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(record::decode_delivery(moved[0].value)->content.body().chunks(), 2U);
  EVENTUALLY(system.retries().empty());
}

// Each partition uses its own sources, and its part of the lane's limits.
TEST(Moving, AWideLaneHasEachSourceInOnePartition) {
  FakePeer peer([](Stage stage, const std::string&, int) -> std::string {
    if (stage == Stage::kMail) std::this_thread::sleep_for(5ms);
    return {};
  });
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  for (const char* name : {"first", "second"}) system.control.sources[name].name = SourceName(name);
  system.control.pools["default"].members = {{SourceName("first"), 1}, {SourceName("second"), 1}};
  system.control.placement.map.lanes = {{.site = SiteName("a.example"), .partitions = {0, 1}}};
  system.control.shaping = {{.is_default = true, .lane_connection_limit = 3}};
  system.start();
  for (int i = 0; i < 60; ++i) {
    system.put({.recipients = {"r" + std::to_string(i)},
                .partition = static_cast<log::PartitionId>(i % 2)});
  }
  EVENTUALLY(system.count(v1::DELIVERED) == 60);
  std::map<std::string, int> sources;
  for (const record::Event& event : system.events()) ++sources[event.head.source()];
  EXPECT_EQ(sources, (std::map<std::string, int>{{"first", 30}, {"second", 30}}));
  EXPECT_LE(peer.connections_open_max(), 3);
  EXPECT_EQ(recipients_of(peer).size(), 60U);
}

TEST(Moving, CrashesDoubleNothing) {
  FakePeer peer;
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  place_all(system, 1);
  system.log.hold();
  system.start();
  system.put_unsynced({.recipients = {"one"}});
  EVENTUALLY(system.log.records({log::Topic::kOutbound, 0}).size() == 1);
  system.log.release();
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  system.stop();
  system.start();
  EVENTUALLY(system.role().problem().empty());
  system.put({.recipients = {"two"}, .partition = 1});
  EVENTUALLY(system.count(v1::DELIVERED) == 2);
  EXPECT_EQ(recipients_of(peer).size(), 2U);
}

}  // namespace
}  // namespace godwit::sender
