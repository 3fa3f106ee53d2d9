#include "common/control/log_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/manual_clock.h"
#include "common/base/test_eventually.h"
#include "common/control/errc.h"
#include "common/control/file_control.h"
#include "common/control/password.h"
#include "common/log/fake_log.h"

namespace godwit::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class LogControlTest : public testing::Test {
 protected:
  std::unique_ptr<LogControl> open() {
    auto control = LogControl::open(log_, clock_, "mta1").value();
    EXPECT_TRUE(eventually([&] { return control->problem().empty(); }));
    return control;
  }
  static ChangeRequest request(std::string text, bool prune = false) {
    return {.file = "c.yaml", .text = std::move(text), .prune = prune, .actor = "ann"};
  }
  Result<Applied> apply(LogControl& control, std::string text, bool prune = false) {
    return control.apply(request(std::move(text), prune), announce_);
  }
  static std::vector<std::string> texts(const ChangePlan& plan) {
    std::vector<std::string> out;
    for (const ObjectChange& change : plan.changes) out.push_back(change.to_text());
    return out;
  }

  ManualClock clock_;
  log::FakeLog log_{clock_};
  std::vector<std::string> announced_;
  Authority::Announce announce_ = [this](const ChangePlan& plan, std::string_view batch) {
    announced_.push_back(std::string(batch) + " " + std::to_string(plan.changes.size()));
    return Result<void>();
  };
};

constexpr const char* kFile = R"(tenants:
  - name: acme
    pool: bulk
    credentials: [{username: acme, password: secret}]
    api_keys: [{name: app, key: plain}]
    domains: [{name: acme.example, verified: true}]
pools: {bulk: [{source: default}]}
shaping: [{default: true, connection_limit: 7}]
)";

TEST_F(LogControlTest, AnEmptyTableHasTheDefaults) {
  const auto control = open();
  EXPECT_EQ(control->current()->version, 0U);
  EXPECT_NE(control->current()->tenant("default"), nullptr);
  EXPECT_EQ(*control->to_yaml(), "");
}

TEST_F(LogControlTest, WhatIsAppliedIsInForceHereAndThere) {
  const auto here = open();
  const auto there = open();
  const auto applied = apply(*here, kFile);
  ASSERT_TRUE(applied) << applied.error().to_string();
  EXPECT_THAT(
      texts(applied->plan),
      ElementsAre("added tenant acme", "added credential acme", "added api key acme/app",
                  "added domain acme/acme.example", "added pool bulk", "added shaping list"));
  EXPECT_EQ(applied->version, 1U);
  EXPECT_THAT(announced_, ElementsAre(applied->batch + " 6"));
  ASSERT_TRUE(eventually([&] { return there->current()->version == 1; }));
  for (const auto& control : {here->current(), there->current(), open()->current()}) {
    EXPECT_EQ(control->tenant("acme")->pool, PoolName("bulk"));
    EXPECT_EQ(control->account("acme")->tenant->name, TenantName("acme"));
    EXPECT_TRUE(verify_password(control->account("acme")->credential->password, "secret"));
    EXPECT_TRUE(verify_api_key(control->tenant("acme")->api_keys[0].key, "plain"));
    EXPECT_EQ(control->shaping_of("s", "d", "a").connection_limit, 7U);
    EXPECT_NE(control->source("default"), nullptr);
  }
}

TEST_F(LogControlTest, LanesMoveForEverybodyAtOneMoment) {
  const auto here = open();
  const auto there = open();
  const auto partitions = [&] {
    const LaneId google{SiteName("google"), PoolName("default")};
    const auto of = [&](const LogControl& control) {
      return control.current()->lanes(clock_.now()).partition_of(google, 0, 8);
    };
    return std::pair(of(*here), of(*there));
  };
  ASSERT_TRUE(apply(*here, "placement: {lanes: [{site: google, partitions: [7]}]}"));
  ASSERT_TRUE(eventually([&] { return there->current()->version == 1; }));
  EXPECT_EQ(partitions(), std::pair(5U, 5U)) << "by the slot: not yet";
  clock_.advance(kPlacementLead);
  EXPECT_EQ(partitions(), std::pair(7U, 7U));
  // Once more, and nothing moves; another file leaves it alone; an empty map takes it back.
  EXPECT_EQ(apply(*here, "placement: {lanes: [{site: google, partitions: [7]}]}")->batch, "");
  ASSERT_TRUE(apply(*here, "shaping: [{default: true, connection_limit: 7}]"));
  EXPECT_EQ(partitions().first, 7U);
  const auto undone = apply(*here, "placement: {}");
  ASSERT_TRUE(undone);
  EXPECT_THAT(texts(undone->plan),
              ElementsAre("changed placement map: lanes: [{site: google, pool: default, "
                          "partitions: [7]}] -> unset"));
  EXPECT_EQ(partitions().first, 7U);
  clock_.advance(kPlacementLead);
  EXPECT_EQ(partitions().first, 5U);
}

TEST_F(LogControlTest, TheSameAgainWritesNothing) {
  const auto control = open();
  ASSERT_TRUE(apply(*control, kFile));
  const auto rows = log_.rows({log::Topic::kControl, 0});
  const auto again = apply(*control, kFile);
  ASSERT_TRUE(again);
  EXPECT_THAT(again->plan.changes, IsEmpty());
  EXPECT_EQ(again->batch, "");
  EXPECT_EQ(log_.rows({log::Topic::kControl, 0}), rows);
  EXPECT_THAT(announced_, SizeIs(1));
  // And so does what it prints.
  const std::string yaml = *control->to_yaml();
  EXPECT_THAT(yaml, Not(HasSubstr("secret")));
  EXPECT_THAT(yaml, Not(HasSubstr("plain")));
  EXPECT_THAT(yaml, HasSubstr("$argon2id$"));
  EXPECT_THAT(apply(*control, yaml, true)->plan.changes, IsEmpty()) << yaml;
}

TEST_F(LogControlTest, SecretsAreNeverInTheClear) {
  const auto control = open();
  ASSERT_TRUE(apply(*control, kFile));
  const auto changed = control->diff(request(
      "tenants: [{name: acme, pool: bulk, credentials: [{username: acme, password: 0ther}]}]"));
  ASSERT_TRUE(changed);
  EXPECT_THAT(texts(*changed),
              ElementsAre("changed credential acme: password: another", "removed api key acme/app",
                          "removed domain acme/acme.example"));
  for (const auto& [key, value] : log_.rows({log::Topic::kControl, 0})) {
    EXPECT_THAT(value, Not(HasSubstr("secret")));
    EXPECT_THAT(value, Not(HasSubstr("plain")));
  }
}

TEST_F(LogControlTest, OnlyPruningRemovesWhatTheFileDoesNotHave) {
  const auto control = open();
  ASSERT_TRUE(apply(*control, kFile));
  const char* const other = "tenants: [{name: other, pool: bulk}]";
  auto plan = control->diff(request(other));
  EXPECT_THAT(texts(*plan), ElementsAre("added tenant other"));
  EXPECT_THAT(plan->left, ElementsAre(ObjectName{Kind::kTenant, "acme"}));
  const auto pruned = apply(*control, other, true);
  ASSERT_TRUE(pruned) << pruned.error().to_string();
  EXPECT_THAT(texts(pruned->plan),
              ElementsAre("added tenant other", "removed tenant acme", "removed credential acme",
                          "removed api key acme/app", "removed domain acme/acme.example"));
  EXPECT_EQ(control->current()->tenant("acme"), nullptr);
  EXPECT_FALSE(control->current()->account("acme"));
  EXPECT_NE(control->current()->pool("bulk"), nullptr) << "the file says nothing of pools";
}

// A user name may move to another tenant in one step.
TEST_F(LogControlTest, PruningFreesNames) {
  const auto control = open();
  ASSERT_TRUE(apply(*control, kFile));
  const char* const renamed =
      "tenants: [{name: new, credentials: [{username: acme, password: x}]}]";
  EXPECT_EQ(apply(*control, renamed).error().code, Errc::kBadFile);
  ASSERT_TRUE(apply(*control, renamed, true));
  EXPECT_EQ(control->current()->account("acme")->tenant->name, TenantName("new"));
}

TEST_F(LogControlTest, ABadFileIsRefusedWhole) {
  const auto control = open();
  ASSERT_TRUE(apply(*control, kFile));
  const auto before = control->current();
  const auto refused = apply(*control, "tenants:\n  - {name: good}\n  - {name: bad, pool: none}\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kBadFile);
  EXPECT_THAT(refused.error().context, HasSubstr("c.yaml:3:23: tenants[1].pool:"));
  // Nor may it take away what somebody leans on.
  const auto leaning = apply(*control, "pools: {}", true);
  ASSERT_FALSE(leaning);
  EXPECT_THAT(leaning.error().context, HasSubstr("tenant acme: there is no pool bulk"));
  EXPECT_EQ(control->current(), before);
}

TEST_F(LogControlTest, AnAnnouncementThatFailsStopsTheChange) {
  const auto control = open();
  const auto stopped = control->apply(request(kFile), [](const auto&, std::string_view) {
    return Result<void>(fail(std::make_error_code(std::errc::io_error), "audit"));
  });
  EXPECT_EQ(stopped.error().code, std::errc::io_error);
  EXPECT_THAT(log_.rows({log::Topic::kControl, 0}), IsEmpty());
}

TEST_F(LogControlTest, AFailingLogChangesNothing) {
  const auto control = open();
  log_.fail_next(log::Errc::kUnavailable);
  EXPECT_EQ(apply(*control, kFile).error().code, log::Errc::kUnavailable);
  EXPECT_EQ(control->current()->version, 0U);
  log_.unknown_next(true);
  EXPECT_EQ(apply(*control, kFile).error().code, Errc::kUnfinished);
  // It was written: the same again finds nothing to do.
  EXPECT_THAT(apply(*control, kFile)->plan.changes, IsEmpty());
  EXPECT_TRUE(eventually([&] { return control->current()->version == 1; }));
}

TEST_F(LogControlTest, TheShapingListIsOneThing) {
  const auto control = open();
  ASSERT_TRUE(
      apply(*control, "shaping: [{site: a, connection_limit: 1}, {site: b, connection_limit: 2}]"));
  const auto plan = control->diff(
      request("shaping: [{site: a, connection_limit: 3}, {site: b, connection_limit: 2}]"));
  EXPECT_THAT(texts(*plan), ElementsAre("changed shaping list: + {site: a, connection_limit: 3}; "
                                        "- {site: a, connection_limit: 1}"));
  const auto turned = control->diff(
      request("shaping: [{site: b, connection_limit: 2}, {site: a, connection_limit: 1}]"));
  EXPECT_THAT(texts(*turned), ElementsAre("changed shaping list: in another order"));
  ASSERT_TRUE(apply(*control, "shaping: []"));
  EXPECT_THAT(control->current()->shaping, IsEmpty());
}

TEST_F(LogControlTest, TwoChangesThatDoNotFitTogether) {
  const auto one = open();
  ASSERT_TRUE(apply(*one, "pools: {p: [{source: default}]}"));
  // Both look at the same moment: the second writes when the first has looked.
  const auto two = open();
  const auto applied = one->apply(request("tenants: [{name: t, pool: p}]"),
                                  [&](const auto&, std::string_view) -> Result<void> {
                                    EXPECT_TRUE(apply(*two, "pools: {}", true));
                                    return {};
                                  });
  ASSERT_TRUE(applied);
  EXPECT_THAT(applied->warnings, ElementsAre("tenant t: there is no pool p"));
  // Nothing of it is dangling where it is used.
  ASSERT_TRUE(eventually([&] { return two->current()->tenant("t") != nullptr; }));
  EXPECT_EQ(two->current()->tenant("t")->pool, PoolName("default"));
}

class SeedTest : public LogControlTest {
 protected:
  SeedTest() : path_(std::filesystem::path(testing::TempDir()) / "seed_test.yaml") {
    std::ofstream(path_) << kFile;
  }
  ~SeedTest() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(SeedTest, AnEmptyTableIsFilledOnce) {
  const auto control = open();
  const auto seeded = control->seed(path_, announce_);
  ASSERT_TRUE(seeded) << seeded.error().to_string();
  EXPECT_NE(seeded->batch, "");
  EXPECT_NE(control->current()->tenant("acme"), nullptr);
  ASSERT_TRUE(apply(*control, "tenants: [{name: acme, pool: default}]"));
  const auto again = control->seed(path_, announce_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->batch, "");
  EXPECT_THAT(again->plan.changes, Not(IsEmpty())) << "what `ctl diff` will show";
  EXPECT_EQ(control->current()->tenant("acme")->pool, PoolName("default"));
}

TEST_F(SeedTest, ABadFileFillsNothing) {
  std::ofstream(path_) << "tenant: []";
  const auto control = open();
  EXPECT_EQ(control->seed(path_, announce_).error().code, Errc::kBadFile);
  EXPECT_THAT(log_.rows({log::Topic::kControl, 0}), IsEmpty());
}

TEST_F(SeedTest, AFileIsNotChangedByAnybody) {
  const auto control = FileControl::load(path_).value();
  EXPECT_EQ(control->apply(request(kFile), announce_).error().code, Errc::kReadOnly);
  EXPECT_THAT(control->diff(request(kFile))->changes, IsEmpty());
  EXPECT_THAT(texts(*control->diff(request("shaping: []"))), ElementsAre("removed shaping list"));
  EXPECT_THAT(*control->to_yaml(), Not(HasSubstr("secret")));
}

// The file in force has the password in the clear; what `ctl get` has printed has a hash of it, each time another.
TEST_F(SeedTest, AHashOfThePasswordInForceIsNoOtherPassword) {
  std::ofstream(path_, std::ios::trunc)
      << "tenants: [{name: acme, credentials: [{username: ann, password: hunter2}]}]\n";
  const auto control = FileControl::load(path_).value();
  const std::string printed = control->to_yaml().value();
  EXPECT_NE(printed, control->to_yaml().value()) << "each has a salt of its own";
  EXPECT_THAT(control->diff(request(printed))->changes, IsEmpty());

  const auto other = FileControl::load(path_).value();
  EXPECT_THAT(other->diff(request(printed))->changes, IsEmpty()) << "after a restart, too";
  std::ofstream(path_, std::ios::trunc)
      << "tenants: [{name: acme, credentials: [{username: ann, password: another}]}]\n";
  ASSERT_TRUE(other->reload());
  EXPECT_THAT(texts(*other->diff(request(printed))),
              ElementsAre("changed credential ann: password: another"));
}

}  // namespace
}  // namespace godwit::control
