// Deferral, parking, age, restarts, and what the log does with commits.

#include "sender/role_test_support.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace godwit::sender {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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
  EVENTUALLY(system.retries().empty());  // d/ and c/ are gone
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
  EVENTUALLY(system.retries().empty());
}

TEST(SenderRole, ExpiresWhenItsAgeIsOver) {
  FakePeer peer(at_stage(Stage::kRcpt, "450 4.2.2 full"));
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry.first = 10s;
  system.start();
  system.put({.recipients = {"one", "two"}, .expires_in = 400ms});
  EVENTUALLY(system.count(v1::EXPIRED) == 2);
  EVENTUALLY(system.retries().empty());
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
  EVENTUALLY(system.retries().contains("!position"));
  EXPECT_EQ(system.committed(), 0);
  system.log.crash();
  system.stop(100ms);
  open = true;
  system.start();
  EVENTUALLY(system.count(v1::DELIVERED) == 11);
  EVENTUALLY(system.committed() == 11);
  EXPECT_EQ(fast.mails().size(), 10U);
  EXPECT_EQ(slow.mails().size(), 1U);
  EXPECT_FALSE(system.retries().contains("!position"));
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

// Less room than there is due: what was parked again stands in the queue of due times twice, and both may come up
// together.
TEST(SenderRole, EachAttemptIsMadeOnceHoweverOftenItsDueTimeIsListed) {
  std::mutex lock;
  std::map<std::string, int> tries;
  FakePeer peer([&](Stage stage, const std::string& line, int) -> std::string {
    if (stage != Stage::kRcpt) return {};
    const std::lock_guard guard(lock);
    return ++tries[line] <= 8 ? "450 4.7.1 later" : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry = {.first = 10ms, .factor = 1, .max = 10ms, .jitter = 0.5};
  system.config.window.parked = 3;
  system.start();
  for (int i = 0; i < 40; ++i) system.put({.recipients = {"r" + std::to_string(i)}});
  EVENTUALLY(system.count(v1::DELIVERED) == 40);
  std::set<std::pair<std::string, std::uint32_t>> attempts;
  for (const auto& event : system.events()) {
    EXPECT_TRUE(attempts.emplace(event.addresses.recipient(), event.head.attempt()).second)
        << event.addresses.recipient() << " " << event.head.attempt();
  }
  EXPECT_EQ(attempts.size(), 40U * 9U);
  EXPECT_EQ(peer.mails().size(), 40U);
}

}  // namespace
}  // namespace godwit::sender
