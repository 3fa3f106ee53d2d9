// What one partition of the router does when nothing fails: order, look-ups, bounds, its end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "router/test_partition.h"

namespace godwit::router {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(PartitionRouterTest, APositionMovesWithWhatFollowsFromTheMessage) {
  start();
  settle();
  log_.hold();
  append(log::Topic::kAccepted, message_to({"a@a.routed.test", "b@b.routed.test"}));
  log_.sync();  // accepted
  settle();
  EXPECT_EQ(committed(), 0);
  log_.sync();  // routed
  EXPECT_EQ(committed(), 1);
  EXPECT_THAT(routed_domains(), ElementsAre("a.routed.test", "b.routed.test"));
  EXPECT_THAT(log_.records(log::Topic::kEvents), SizeIs(4));
  settle();
  EXPECT_TRUE(router_->idle());
  EXPECT_EQ(deliveries()[0].content.position().offset(), 0);
}

TEST_F(PartitionRouterTest, UrgentMailGoesFirst) {
  for (const char* to : {"1@a.routed.test", "2@a.routed.test", "3@a.routed.test"}) accept(to);
  for (const char* to : {"4@a.routed.test", "5@a.routed.test"})
    accept(to, log::Topic::kAcceptedUrgent);
  config_.window.batch_messages = 1;
  start();
  settle();
  EXPECT_THAT(routed_recipients(),
              ElementsAre("4@a.routed.test", "5@a.routed.test", "1@a.routed.test",
                          "2@a.routed.test", "3@a.routed.test"));
  EXPECT_EQ(committed(log::Topic::kAcceptedUrgent), 2);
  EXPECT_EQ(committed(), 3);
}

TEST_F(PartitionRouterTest, ABatchFitsIntoWhatTheLogTakes) {
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back(std::to_string(i) + "@a.routed.test");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(log::Topic::kAccepted, message_to(many)));
  log_.set_batch_bytes_max(64 * 1024);
  start();
  settle();
  EXPECT_EQ(router_->problem(), "");
  EXPECT_EQ(committed(), 50);
  EXPECT_THAT(deliveries(), SizeIs(50));
}

TEST_F(PartitionRouterTest, UrgentMailDoesNotWaitForASlowLookUpOfOthers) {
  dns_.hold("slow.test");
  accept("1@slow.test");
  start();
  settle();
  accept("2@a.routed.test", log::Topic::kAcceptedUrgent);
  settle();
  EXPECT_THAT(routed_recipients(), ElementsAre("2@a.routed.test"));
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 1);
}

TEST_F(PartitionRouterTest, LookUpsOverlapAndPositionsStayInOrder) {
  dns_.hold("slow.test");
  dns_.answers.set_mx("other.test", {{10, "mx.other.test"}});
  accept("1@slow.test");
  accept("2@other.test");
  accept("3@a.routed.test");
  start();
  settle();
  // What is behind is looked up, and not committed past the one in front.
  EXPECT_THAT(dns_.asked(), ElementsAre("slow.test", "other.test"));
  EXPECT_EQ(committed(), 0);
  EXPECT_THAT(log_.records(log::Topic::kOutbound), IsEmpty());
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 3);
  EXPECT_THAT(routed_domains(), ElementsAre("slow.test", "other.test", "a.routed.test"));
  EXPECT_EQ(deliveries()[1].head.site(), "mx:mx.other.test");
}

TEST_F(PartitionRouterTest, ASlowLookUpIsNotWaitedForLongerThanThePatience) {
  dns_.hold("slow.test");
  append(log::Topic::kAccepted, message_to({"1@slow.test", "2@a.routed.test"}));
  start();
  const Instant began = loop_.clock().instant();
  loop_.drive([&] { return committed() == 1; });
  EXPECT_GE(loop_.clock().instant() - began, config_.sites.patience);
  EXPECT_LE(loop_.clock().instant() - began, config_.sites.patience + 1s);
  EXPECT_EQ(deliveries()[0].head.site(), "slow.test");
  // The late answer changes nothing that was committed, and is remembered.
  dns_.answers.set_mx("slow.test", {{10, "mx.slow.test"}});
  dns_.answer("slow.test");
  settle();
  accept("3@slow.test");
  settle();
  EXPECT_EQ(deliveries().back().head.site(), "mx:mx.slow.test");
}

TEST_F(PartitionRouterTest, ALateAnswerIsNotTakenForThatOfAnotherMessage) {
  dns_.hold("slow.test");
  dns_.hold("slower.test");
  dns_.answers.set_mx("slow.test", {{10, "mx.slow.test"}});
  dns_.answers.set_mx("slower.test", {{10, "mx.slower.test"}});
  accept("1@slow.test");
  start();
  loop_.drive([&] { return committed() == 1; });  // its patience ended
  accept("2@slower.test");
  settle();
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 1);
  dns_.answer("slower.test");
  settle();
  ASSERT_EQ(committed(), 2);
  EXPECT_EQ(deliveries().back().head.site(), "mx:mx.slower.test");
}

TEST_F(PartitionRouterTest, NothingTheDnsSaysEndsARecipientHere) {
  using enum net::DnsOutcome;
  for (const auto& [domain, outcome] : std::map<std::string, net::DnsOutcome>{{"1.test", kNxDomain},
                                                                              {"2.test", kNoData},
                                                                              {"3.test", kServFail},
                                                                              {"4.test", kTimeout},
                                                                              {"5.test", kBogus}}) {
    dns_.answers.fail_mx(domain, outcome);
    accept("a@" + domain);
  }
  dns_.answers.set_mx("6.test", {{0, ""}});  // null MX
  accept("a@6.test");
  accept("no-domain");
  accept("a@not..valid");
  start();
  settle();
  EXPECT_THAT(routed_domains(), ElementsAre("1.test", "2.test", "3.test", "4.test", "5.test",
                                            "6.test", "", "not..valid"));
  for (const record::Delivery& delivery : deliveries())
    EXPECT_EQ(delivery.head.site(), delivery.head.domain());
}

TEST_F(PartitionRouterTest, TakesNoMoreThanItsWindow) {
  config_.window.messages = 3;
  dns_.hold("slow.test");
  accept("0@slow.test");
  for (int i = 0; i < 10; ++i) accept("a@a.routed.test");
  start();
  settle();
  EXPECT_EQ(owner_->ownership->reader(log::Topic::kAccepted).next(), 3);
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 11);
}

TEST_F(PartitionRouterTest, TakesNoMoreOctetsThanItsWindow) {
  config_.window.bytes = 1;  // one record is always taken
  log_.hold();
  for (int i = 0; i < 3; ++i) accept("a@a.routed.test");
  log_.sync();
  start();
  settle();
  EXPECT_EQ(owner_->ownership->reader(log::Topic::kAccepted).next(), 1);
  log_.release();
  settle();
  EXPECT_EQ(committed(), 3);
}

TEST_F(PartitionRouterTest, DrainCommitsWhatIsInHandAndEnds) {
  dns_.hold("slow.test");
  accept("1@slow.test");
  start();
  settle();
  router_->drain();
  accept("2@a.routed.test");
  settle();
  EXPECT_FALSE(ended_);
  dns_.answer("slow.test");
  loop_.drive([&] { return ended_; });
  EXPECT_EQ(committed(), 1);  // what came later stays in the log
}

TEST_F(PartitionRouterTest, StopWaitsForTheCommitUnderWay) {
  log_.hold();
  accept("1@a.routed.test");
  log_.sync();
  start();
  settle();
  EXPECT_EQ(log_.writes_waiting(), 1U);
  router_->stop();
  settle();
  EXPECT_FALSE(ended_);
  log_.release();
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(committed(), 1);
}

}  // namespace
}  // namespace godwit::router
