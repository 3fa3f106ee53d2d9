#include "common/admin/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/admin/audit_trail.h"
#include "common/admin/errc.h"
#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"

namespace godwit::admin {
namespace {

using log::Topic;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

NodeRow row(const std::string& node, std::vector<Owned> owned = {}) {
  return {.node = node,
          .software = "1.0",
          .roles = {{"sender", ""}},
          .admin = "127.0.0.1:1",
          .pid = 1,
          .owned = std::move(owned)};
}

class RegistryTest : public testing::Test {
 protected:
  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  std::unique_ptr<Registry> here_ = Registry::open(log_, clock_).value();
  std::unique_ptr<Registry> there_ = Registry::open(log_, clock_).value();
};

TEST_F(RegistryTest, ABeatIsWrittenWhenItIsDueOrSomethingChanged) {
  clock_.advance(std::chrono::hours(1));
  const auto heartbeat = [&] { return there_->nodes()->at(0).heartbeat; };
  here_->beat(row("a"));
  const Timestamp first = heartbeat();
  clock_.advance(9s);
  here_->beat(row("a"));
  EXPECT_EQ(heartbeat(), first);
  NodeRow draining = row("a");
  draining.draining = true;
  here_->beat(draining);
  EXPECT_EQ(heartbeat(), first + 9s);
  EXPECT_EQ(there_->nodes()->at(0).state(clock_.now()), "draining");
  clock_.advance(Registry::kInterval);
  here_->beat(draining);
  EXPECT_EQ(heartbeat(), first + 9s + Registry::kInterval);
  EXPECT_THAT(*there_->nodes(), SizeIs(1));
}

TEST_F(RegistryTest, TheDeadAgeVisiblyAndAreForgotten) {
  clock_.advance(std::chrono::hours(1));
  here_->beat(row("a"));
  there_->beat(row("b"));
  clock_.advance(3 * Registry::kInterval);
  const auto state = [&](std::size_t i) { return here_->nodes()->at(i).state(clock_.now()); };
  EXPECT_EQ(state(0), "up");
  clock_.advance(1s);
  there_->beat(row("b"));
  EXPECT_EQ(state(0), "silent");
  EXPECT_EQ(state(1), "up");
  clock_.advance(Registry::kForgottenAfter + 1s);
  there_->beat(row("b"));
  ASSERT_THAT(*here_->nodes(), SizeIs(1));
  EXPECT_EQ(here_->nodes()->at(0).node, "b");
  there_->say_goodbye(row("b"));
  EXPECT_EQ(state(0), "ended");
}

TEST_F(RegistryTest, AFailingLogIsTriedAgain) {
  log_.fail_next(log::Errc::kUnavailable);
  here_->beat(row("a"));
  EXPECT_THAT(*here_->nodes(), IsEmpty());
  clock_.advance(Registry::kInterval);
  here_->beat(row("a"));
  EXPECT_THAT(*here_->nodes(), SizeIs(1));
}

TEST_F(RegistryTest, AFullDiskIsForMail) {
  log_.set_problem("only the reserve is left");
  log_.set_bytes_free(0);
  here_->beat(row("a"));
  EXPECT_THAT(*here_->nodes(), IsEmpty());
  log_.set_problem("");
  here_->beat(row("a"));
  EXPECT_THAT(*here_->nodes(), SizeIs(1));
}

// A log that others share: it knows whom it has put out.
class Shared final : public log::ForwardingLog {
 public:
  using ForwardingLog::ForwardingLog;
  [[nodiscard]] Result<bool> evict(std::string_view group, std::string_view node) override {
    return members.erase({std::string(group), std::string(node)}) > 0;
  }

  std::set<std::pair<std::string, std::string>> members;
};

TEST_F(RegistryTest, OnlyTheSilentArePutOut) {
  clock_.advance(std::chrono::hours(1));
  Shared shared(log_);
  shared.members = {{"router", "a"}, {"sender", "a"}, {"sender", "b"}};
  const auto registry = Registry::open(shared, clock_).value();
  here_->beat(row("a"));
  EXPECT_EQ(registry->evict("a").error().code, Errc::kRefused);
  EXPECT_THAT(shared.members, SizeIs(3));
  clock_.advance(std::chrono::minutes(1));
  EXPECT_THAT(registry->evict("a").value(), testing::ElementsAre("router", "sender"));
  EXPECT_THAT(shared.members, SizeIs(1));
  EXPECT_THAT(*registry->nodes(), IsEmpty());
  EXPECT_EQ(registry->evict("a").error().code, Errc::kInvalid);
  EXPECT_EQ(here_->evict("b").error().code, Errc::kUnsupported);
}

TEST_F(RegistryTest, ANamesakeIsWhoHasTheRowAndIsAlive) {
  clock_.advance(std::chrono::hours(1));
  EXPECT_FALSE(there_->namesake(row("a"), 0ms));
  here_->beat(row("a"));
  EXPECT_EQ(there_->namesake(row("a"), 0ms)->admin, row("a").admin);
  EXPECT_FALSE(there_->namesake(row("b"), 0ms));
  NodeRow other_roles = row("a");
  other_roles.roles.push_back({"further", {}});
  EXPECT_FALSE(there_->namesake(other_roles, 0ms));
  clock_.advance(std::chrono::minutes(1));
  EXPECT_FALSE(there_->namesake(row("a"), 0ms));
}

// A group whose partitions nobody takes any further.
class Idle final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> partition) override { owned = partition; }
  void revoked(log::PartitionId, std::move_only_function<void()> released) override {
    owned.reset();
    released();
  }
  void lost(log::PartitionId) override { owned.reset(); }
  std::shared_ptr<log::Ownership> owned;
};

TEST_F(RegistryTest, LagAndOwnersOfEachPartition) {
  clock_.advance(std::chrono::hours(1));
  WatchedLog watched(log_);
  auto group = watched
                   .join({.name = "sender",
                          .subscribed = Topic::kOutbound,
                          .followed = {Topic::kOutboundUrgent}},
                         std::make_shared<Idle>())
                   .value();
  EXPECT_THAT(watched.owned(),
              ElementsAre(Owned{"sender", {Topic::kOutbound, Topic::kOutboundUrgent}, {0, 1}}));
  const Timestamp taken = clock_.now();
  for (int i = 0; i < 3; ++i) {
    log_.producer()->append({{{Topic::kOutbound, 1}, "", Rope(Bytes::of_static("x")), {}}},
                            [](const Result<log::Written>& written) { EXPECT_TRUE(written); });
  }
  clock_.advance(5s);
  here_->beat(row("a", watched.owned()));

  std::map<std::string, LagRow> found;
  for (LagRow& lag : *there_->lag())
    found[lag.group + "/" + lag.topic + "/" + std::to_string(lag.partition)] = std::move(lag);
  EXPECT_THAT(found, SizeIs(8)) << "two groups, two topics each, two partitions each";
  const LagRow& behind = found.at("sender/outbound/1");
  EXPECT_EQ(behind.end - behind.committed, 3);
  EXPECT_EQ(behind.owner, "a");
  EXPECT_EQ(behind.oldest, taken);
  EXPECT_EQ(found.at("sender/outbound.urgent/0").owner, "a");
  EXPECT_EQ(found.at("sender/outbound/0").oldest, Timestamp{});
  EXPECT_EQ(found.at("router/accepted/0").owner, "");

  log_.revoke("sender", 1);
  EXPECT_THAT(watched.owned().at(0).partitions, ElementsAre(0));
  log_.lose("sender", 0);
  EXPECT_THAT(watched.owned().at(0).partitions, IsEmpty());
  // Who is silent owns nothing any more, whatever it said last.
  clock_.advance(4 * Registry::kInterval);
  for (const LagRow& lag : *there_->lag()) EXPECT_EQ(lag.owner, "");
}

TEST_F(RegistryTest, TopicsAndWhoReadsThem) {
  const auto topics = here_->topics().value();
  ASSERT_THAT(topics, SizeIs(log::kTopicMax));
  EXPECT_THAT(topics[0].groups, ElementsAre("router"));
  EXPECT_EQ(topics[0].partitions, 2U);
  EXPECT_TRUE(topics[8].table);
  EXPECT_EQ(topics[8].name, "control");
}

TEST_F(RegistryTest, TheAuditTrailKeepsTheNewest) {
  AuditTrail trail(log_, clock_, "mta1");
  for (int i = 0; i < 5; ++i) {
    clock_.advance(1s);
    ASSERT_TRUE(trail.write({.actor = "ann" + std::to_string(i),
                             .action = "drain",
                             .subject = std::to_string(i),
                             .changes = {"one", "two"}}));
  }
  const auto found = trail.list({}, 2).value();
  EXPECT_EQ(found.total, 5U);
  ASSERT_THAT(found.entries, SizeIs(2));
  EXPECT_EQ(found.entries[0].subject, "4");
  EXPECT_EQ(found.entries[1].subject, "3");
  EXPECT_EQ(found.entries[0].node, "mta1");
  EXPECT_THAT(found.entries[0].changes, ElementsAre("one", "two"));
  EXPECT_EQ(trail.list(clock_.now(), 10)->total, 1U);

  AuditEntry large{.actor = "ann", .action = "control.apply"};
  large.changes.assign(10'000, std::string(100, 'x'));
  ASSERT_TRUE(trail.write(large));
  EXPECT_EQ(trail.list({}, 10)->entries.size(), 6U);
  log_.fail_next(log::Errc::kUnavailable);
  EXPECT_EQ(trail.write({.actor = "ann"}).error().code, log::Errc::kUnavailable);
}

}  // namespace
}  // namespace godwit::admin
