#include "router/site_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/async/test_loop.h"
#include "router/fake_held_resolver.h"

namespace godwit::router {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class SiteFinderTest : public testing::Test {
 protected:
  SiteFinderTest() { dns_.answers.set_mx("a.test", {{10, "mx.h.test"}}); }

  void make(SiteConfig config = {}) {
    finder_.emplace(dns_, loop_.shard(), loop_.gate(), config, metrics_);
  }
  // What is remembered; what comes later goes to found_.
  std::string find(const std::string& domain) {
    if (const SiteName* site = finder_->recall(domain)) return site->text();
    finder_->ask(domain, [this, domain](const SiteName& later) {
      found_.push_back(domain + "=" + later.text());
    });
    return "later";
  }
  void settle() {
    while (loop_.shard().poll() != 0) {
    }
  }

  async::VirtualLoop loop_;
  HeldResolver dns_;
  observe::Metrics registry_;
  RouterMetrics metrics_{registry_};
  std::optional<SiteFinder> finder_;
  std::vector<std::string> found_;
};

TEST_F(SiteFinderTest, AsksOnceAndRemembers) {
  make();
  EXPECT_EQ(find("a.test"), "later");
  settle();
  EXPECT_THAT(found_, ElementsAre("a.test=mx:mx.h.test"));
  EXPECT_EQ(find("a.test"), "mx:mx.h.test");
  EXPECT_THAT(dns_.asked(), ElementsAre("a.test"));
  EXPECT_EQ(finder_->under_way(), 0U);
}

TEST_F(SiteFinderTest, EqualQuestionsAreOne) {
  make();
  dns_.hold("a.test");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(find("a.test"), "later");
  settle();
  EXPECT_THAT(found_, IsEmpty());
  dns_.answer("a.test");
  settle();
  EXPECT_EQ(found_.size(), 3U);
  EXPECT_THAT(dns_.asked(), ElementsAre("a.test"));
}

TEST_F(SiteFinderTest, ASlowDomainHoldsUpNobodyElse) {
  make();
  dns_.hold("slow.test");
  std::ignore = find("slow.test");
  std::ignore = find("a.test");
  settle();
  EXPECT_THAT(found_, ElementsAre("a.test=mx:mx.h.test"));
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(found_.back(), "slow.test=slow.test");
}

TEST_F(SiteFinderTest, QuestionsBeyondTheLimitWaitTheirTurn) {
  make({.look_ups = 2});
  for (const char* domain : {"1.test", "2.test", "3.test", "4.test"}) {
    dns_.hold(domain);
    std::ignore = find(domain);
  }
  settle();
  EXPECT_THAT(dns_.asked(), ElementsAre("1.test", "2.test"));
  EXPECT_EQ(finder_->under_way(), 2U);
  dns_.answer("2.test");
  settle();
  EXPECT_THAT(dns_.asked(), ElementsAre("1.test", "2.test", "3.test"));
  for (const char* domain : {"1.test", "3.test", "4.test"}) dns_.answer(domain);
  settle();
  EXPECT_EQ(found_.size(), 4U);
  EXPECT_EQ(finder_->under_way(), 0U);
}

TEST_F(SiteFinderTest, StopEndsLookUpsUnderWay) {
  make({.look_ups = 1});
  dns_.hold("slow.test");
  EXPECT_EQ(find("slow.test"), "later");
  EXPECT_EQ(find("next.test"), "later");
  settle();
  EXPECT_EQ(loop_.gate().count(), 1U);
  finder_->stop();
  settle();
  EXPECT_EQ(loop_.gate().count(), 0U);
  EXPECT_THAT(found_, IsEmpty()) << "nothing is known, so nobody is told";
  EXPECT_EQ(finder_->remembered(), 0U);
  EXPECT_THAT(dns_.asked(), ElementsAre("slow.test"));
}

TEST_F(SiteFinderTest, AnAnswerIsForgottenInTime) {
  make({.ttl_min = 60s, .ttl_max = 3'600s, .failure_ttl = 30s});
  dns_.answers.fail_mx("broken.test", net::DnsOutcome::kServFail);
  std::ignore = find("broken.test");
  std::ignore = find("gone.test");
  settle();
  EXPECT_THAT(found_,
              testing::UnorderedElementsAre("broken.test=broken.test", "gone.test=gone.test"));
  loop_.clock().advance(29s);
  EXPECT_EQ(find("broken.test"), "broken.test");
  loop_.clock().advance(2s);
  EXPECT_EQ(find("broken.test"), "later");
  EXPECT_EQ(find("gone.test"), "gone.test");  // a definite answer: ttl_min at least
  loop_.clock().advance(3'600s);
  EXPECT_EQ(find("gone.test"), "later");
  settle();
}

TEST_F(SiteFinderTest, OnlyTheLastAskedForAreRemembered) {
  make({.domains = 2});
  for (const char* domain : {"1.test", "2.test"}) {
    std::ignore = find(domain);
    settle();
  }
  EXPECT_EQ(find("1.test"), "1.test");  // now the younger
  std::ignore = find("3.test");
  settle();
  EXPECT_EQ(finder_->remembered(), 2U);
  EXPECT_EQ(find("1.test"), "1.test");
  EXPECT_EQ(find("2.test"), "later");
  settle();
}

}  // namespace
}  // namespace godwit::router
