// Content on logs where a delivery carries it, or refers to `bodies`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/test_partition.h"

namespace godwit::router {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// What follows is about logs where a delivery carries its content.
class ContentMovedTest : public PartitionRouterTest {
 protected:
  ContentMovedTest() { plan_.by_position = false; }
  // Content that is too much to be carried by each of three deliveries.
  void accept_large() {
    ASSERT_TRUE(
        append(log::Topic::kAccepted,
               message_to({"1@a.routed.test", "2@b.routed.test", "3@c.routed.test"}, kLarge)));
  }
  [[nodiscard]] std::string body() {
    std::string octets;
    for (const log::Record& chunk : log_.records(log::Topic::kBodies))
      octets += chunk.value.to_string();
    return octets;
  }

  const std::string kLarge = std::string(kCarriedBytesMax / 3 + 1, 'x');
};

TEST_F(ContentMovedTest, ContentTimesDeliveriesAboveTheBoundStandsInBodiesOnce) {
  accept_large();
  start();
  settle();
  EXPECT_EQ(committed(), 1);
  EXPECT_EQ(body(), kLarge);
  ASSERT_THAT(deliveries(), SizeIs(3));
  for (const record::Delivery& delivery : deliveries()) {
    EXPECT_EQ(delivery.where(), record::Delivery::Where::kBody);
    EXPECT_EQ(delivery.content.size(), kLarge.size());
    EXPECT_EQ(delivery.content.body().first_offset(), 0);
  }
}

TEST_F(ContentMovedTest, WhatIsSmallOrGoesOneWayIsCarried) {
  ASSERT_TRUE(append(log::Topic::kAccepted, message_to({"1@a.routed.test"}, kLarge)));
  ASSERT_TRUE(
      append(log::Topic::kAccepted, message_to({"2@b.routed.test", "3@c.routed.test"}, kLarge)));
  start();
  settle();
  EXPECT_EQ(committed(), 2);
  EXPECT_EQ(body(), "");
  for (const record::Delivery& delivery : deliveries())
    EXPECT_EQ(delivery.where(), record::Delivery::Where::kInline);
}

TEST_F(ContentMovedTest, NoDeliveryNamesContentThatIsNotAcknowledged) {
  start();
  accept_large();
  accept("4@d.routed.test");
  log_.hold();
  settle();
  EXPECT_EQ(log_.writes_waiting(), 1U) << "the content's, and no commit";
  EXPECT_THAT(deliveries(), IsEmpty());
  log_.sync();
  settle();
  log_.release();
  settle();
  EXPECT_EQ(committed(), 2);
  EXPECT_EQ(routed_domains().front(), "a.routed.test") << "the order of acceptance holds";
}

TEST_F(ContentMovedTest, ContentThatWasNotTakenIsWrittenAgain) {
  for (const auto code : {log::Errc::kUnavailable, log::Errc::kUnknown}) {
    start();
    settle();
    const auto before = committed();
    if (code == log::Errc::kUnknown) {
      accept_large();
      log_.unknown_next(true);
    } else {
      accept_large();
      log_.fail_next(code);
    }
    settle();
    EXPECT_THAT(router_->problem(), HasSubstr("content: "));
    loop_.drive([&] { return committed() == before + 1; });
    EXPECT_EQ(router_->problem(), "");
    end();
    group_.reset();
  }
  const std::vector<record::Delivery> made = deliveries();
  ASSERT_THAT(made, SizeIs(6));
  EXPECT_EQ(made[0].content.body().first_offset(), 0);
  EXPECT_EQ(made[3].content.body().first_offset(), 2) << "the second of two copies";
  EXPECT_EQ(body(), kLarge + kLarge + kLarge);
}

}  // namespace
}  // namespace godwit::router
