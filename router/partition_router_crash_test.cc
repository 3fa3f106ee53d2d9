// Commits that fail, and crashes at any step: nothing is lost and nothing is routed twice.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/record/event_view.h"
#include "router/test_partition.h"

namespace godwit::router {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(PartitionRouterTest, ACommitThatWasNotWrittenIsRepeated) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  log_.fail_next(log::Errc::kUnavailable);
  start();
  settle();
  EXPECT_EQ(committed(), 0);
  EXPECT_THAT(router_->problem(), HasSubstr("commit"));
  accept("3@a.routed.test");
  log_.fail_next(log::Errc::kNoSpace);
  loop_.drive([&] { return committed() == 3; });
  settle();
  EXPECT_EQ(router_->problem(), "");
  EXPECT_THAT(routed_recipients(),
              ElementsAre("1@a.routed.test", "2@a.routed.test", "3@a.routed.test"));
}

TEST_F(PartitionRouterTest, AfterAnUnknownCommitThePartitionIsLeft) {
  for (const bool written : {true, false}) {
    accept("1@a.routed.test");
    log_.unknown_next(written);
    start();
    loop_.drive([&] { return ended_; });
    router_.reset();
    group_.reset();
    // The next owner finds either all of it or nothing.
    const auto before = static_cast<std::size_t>(committed());
    EXPECT_EQ(deliveries().size(), before);
    start();
    loop_.drive([&] {
      return committed() == static_cast<log::Offset>(log_.records(log::Topic::kAccepted).size());
    });
    settle();
    EXPECT_EQ(deliveries().size(), log_.records(log::Topic::kAccepted).size());
    end();
    group_.reset();
  }
}

// Kills at random steps; synced or not, with refused commits and slow answers in between. However it goes, each
// recipient is routed once, under the same delivery id, and no position is ahead of its deliveries.
TEST_F(PartitionRouterTest, ACrashBetweenAnyTwoStepsRepeatsWithoutDoubling) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  config_.window.batch_messages = 3;
  config_.window.messages = 8;
  const std::vector<std::string> domains = {"a.routed.test", "b.routed.test", "x.test", "y.test",
                                            "z.test"};
  std::size_t accepted = 0;
  std::size_t crashes = 0;
  log_.hold();
  start();
  const auto check_positions = [&] {
    for (const log::Topic topic : {log::Topic::kAccepted, log::Topic::kAcceptedUrgent}) {
      const auto source = log_.records(topic);
      std::set<std::string> routed;
      for (const record::Delivery& delivery : deliveries())
        routed.insert(delivery.head.message_id());
      for (log::Offset offset = 0; offset < committed(topic); ++offset) {
        const auto message =
            record::decode_message(source[static_cast<std::size_t>(offset)].value).value();
        ASSERT_TRUE(routed.contains(message.head.message_id()));
      }
    }
  };
  for (int step = 0; step < 3'000; ++step) {
    switch (random() % 12) {
      case 0:
      case 1: {
        const auto topic = random() % 3 == 0 ? log::Topic::kAcceptedUrgent : log::Topic::kAccepted;
        std::vector<std::string> recipients;
        for (unsigned i = 1 + random() % 3; i > 0; --i)
          recipients.push_back("r@" + domains[random() % domains.size()]);
        if (!append(topic, message_to(recipients))) break;
        log_.sync();  // acknowledged: from here on it must not be lost
        accepted += recipients.size();
        break;
      }
      case 2: log_.sync(); break;
      case 3:
        log_.fail_next(log::Errc::kUnavailable);
        log_.sync();
        break;
      case 4: dns_.hold(domains[2 + random() % 3]); break;
      case 5:
        for (const std::string& domain : domains) dns_.answer(domain);
        break;
      case 6: loop_.clock().advance(std::chrono::milliseconds(random() % 3'000)); break;
      case 7:
        if (random() % 4 != 0) break;
        crash();
        ++crashes;
        start();
        break;
      default: loop_.shard().poll();
    }
    if (step % 25 == 0) check_positions();
  }
  EXPECT_GT(crashes, 10U);
  for (const std::string& domain : domains) dns_.answer(domain);
  log_.release();
  const auto all = [&](log::Topic topic) {
    return static_cast<log::Offset>(log_.records(topic).size());
  };
  loop_.drive([&] {
    return committed() == all(log::Topic::kAccepted) &&
           committed(log::Topic::kAcceptedUrgent) == all(log::Topic::kAcceptedUrgent);
  });
  std::set<std::string> recipients, ids, events;
  for (const record::Delivery& delivery : deliveries()) {
    EXPECT_TRUE(ids.insert(record::delivery_id(delivery).to_text()).second);
    for (const v1::Recipient& recipient : delivery.envelope.recipients()) {
      EXPECT_TRUE(recipients.insert(RecipientId{delivery.message_id(), recipient.index()}.to_text())
                      .second);
    }
  }
  EXPECT_EQ(recipients.size(), accepted);
  for (const log::Record& record : log_.records(log::Topic::kEvents)) {
    EXPECT_TRUE(events.insert(record::event_id(record::decode_event(record.value)->head)).second);
  }
  EXPECT_EQ(events.size(), 2 * accepted);
}

}  // namespace
}  // namespace godwit::router
