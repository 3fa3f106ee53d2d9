// Connections, limits and slow sites.

#include "sender/role_test_support.h"

#include <algorithm>
#include <map>
#include <vector>

namespace godwit::sender {
namespace {

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
  std::vector<int> turns;
  for (const auto& mail : peer.mails()) {
    ++carried[mail.connection];
    turns.push_back(mail.connection);
  }
  for (const auto& [connection, mails] : carried) EXPECT_LE(mails, 4);
  EXPECT_GE(peer.connections(), 3);
  EXPECT_TRUE(std::ranges::is_sorted(turns)) << "one connection after the other";
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

// More urgent mail than the lane's share, behind a bulk window that is full: the bulk mail makes room, not they.
TEST(SenderRole, UrgentMailIsNotSetAsideForABulkWindow) {
  FakePeer slow(at_stage(Stage::kBanner, FakePeer::kHang));
  FakeMailSystem system;
  system.route_all_to(slow.port());
  system.config.window = {.records = 20, .patience = 50ms, .lane_share = 5, .parked = 20};
  system.start();
  for (int i = 0; i < 10; ++i) system.put({.recipients = {"reset"}, .urgent = true});
  for (int i = 0; i < 60; ++i) system.put({});
  EVENTUALLY(system.parked().size() >= 30U);
  for (const auto& parked : system.parked()) EXPECT_EQ(parked.class_(), v1::BULK);
}

// Too much of both: what was set aside last is urgent, and comes back first.
TEST(SenderRole, UrgentMailThatWasSetAsideComesBackFirst) {
  FakePeer peer;
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.window = {.records = 20, .patience = 50ms, .lane_share = 5, .parked = 20};
  system.control.shaping.push_back({.is_default = true, .connection_limit = 0});
  system.start();
  for (int i = 0; i < 60; ++i) system.put({});
  EVENTUALLY(system.parked().size() >= 50);
  for (int i = 0; i < 60; ++i) system.put({.recipients = {"reset"}, .urgent = true});
  const auto urgent_parked = [&] {
    return std::ranges::count_if(
        system.parked(), [](const v1::Delivery& parked) { return parked.class_() == v1::URGENT; });
  };
  EVENTUALLY(urgent_parked() >= 50);
  system.control.shaping = {{.is_default = true, .connection_limit = 1}};
  system.publish();
  EVENTUALLY(system.count(v1::DELIVERED) == 120);
  int bulk_before = 0;
  int urgent = 0;
  for (const auto& mail : peer.mails()) {
    if (mail.recipients.front().starts_with("reset")) {
      ++urgent;
    } else if (urgent < 55) {
      ++bulk_before;
    }
  }
  // What was in the window already, and what was on its way when the urgent mail came back.
  EXPECT_LE(bulk_before, 25);
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
  EXPECT_EQ(system.retries().size(), 1U);  // l/
  system.start();
  system.put({});
  EVENTUALLY([&] {
    const auto lanes = system.role().summary({.by = admin::QueueBy::kLane}).value().rows;
    return lanes.size() == 1 && lanes[0].suspended == "max_message_rate";
  }());
  EXPECT_EQ(peer.mails().size(), 1U);
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

}  // namespace
}  // namespace godwit::sender
