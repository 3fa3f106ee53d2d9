// Mail that waits is not let expire: what is told about it, and to whom, on a real broker.

#include "common/log/kafka/cluster_watch.h"

#include <gmock/gmock.h>

#include "common/log/kafka/kafka_test_support.h"

namespace godwit::log {
namespace {

// A record cannot be written into the past: of a node that believes topics keep nothing, each one has used half of it.
TEST(KafkaClusterWatch, WhatWaitsForHalfOfItsRetentionStopsMailAndNothingElse) {
  const std::string prefix = fresh_prefix("overdue");
  KafkaNode patient(prefix, "patient");
  patient.open();
  KafkaNode node(prefix, "node");
  node.options.retention = std::chrono::hours(0);
  node.open();
  const auto producer = node.log->producer();
  ASSERT_TRUE(append_now(*producer, {append_of({Topic::kReports, 1}, "k", "nobody reads it")}));

  ASSERT_TRUE(eventually([&] { return !node.log->status().problem.empty(); }));
  EXPECT_THAT(node.log->status().problem,
              testing::HasSubstr(prefix + "reports 1: records wait for more than half of the 0 h"));
  EXPECT_FALSE(node.log->status().writable);
  EXPECT_EQ(node.metric("godwit_kafka_overdue_partitions"), 1);
  for (const Topic intake :
       {Topic::kAccepted, Topic::kAcceptedUrgent, Topic::kReports, Topic::kBodies}) {
    const auto refused = append_now(*producer, {append_of({intake, 0}, "k", "v")});
    ASSERT_FALSE(refused) << topic_name(intake);
    EXPECT_EQ(refused.error().code, Errc::kUnavailable) << topic_name(intake);
  }
  // What follows from mail goes on, or it would wait for ever.
  EXPECT_TRUE(append_now(*producer, {append_of({Topic::kEvents, 0}, "k", "v")}));
  EXPECT_TRUE(patient.log->status().writable) << patient.log->status().problem;

  // As soon as it is finished, mail is taken again.
  GroupSpec spec = sender_spec();
  spec.name = "bouncer";
  spec.subscribed = Topic::kReports;
  spec.followed = {};
  spec.tables = {};
  patient.join(spec);
  auto owned = patient.listener->wait_for(2);
  ASSERT_TRUE(commit_now(*owned.at(1), {.positions = {{{Topic::kReports, 1}, 1}}}));
  ASSERT_TRUE(eventually([&] { return node.log->status().problem.empty(); }));
  EXPECT_TRUE(append_now(*producer, {append_of(kAccepted0, "k", "v")}));
}

}  // namespace
}  // namespace godwit::log
