// Records that cannot be routed: held in `dead`, or the partition stands still.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/crc32c.h"
#include "common/base/test_directory.h"
#include "common/poison/fake_death.h"
#include "router/test_partition.h"

namespace godwit::router {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(PartitionRouterTest, ARecordThatCannotBeReadIsHeldAndThePartitionGoesOn) {
  accept("1@a.routed.test");
  append(log::Topic::kAccepted, Bytes::of_static("no record at all"), "whose");
  accept("2@a.routed.test");
  start();
  settle();
  EXPECT_EQ(committed(), 3);
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test", "2@a.routed.test"));
  const auto rows = log_.rows({log::Topic::kDead, 0});
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows.begin()->first, "accepted/0/1");
  const record::Dead dead = record::decode_dead(Bytes::copy_of(rows.begin()->second)).value();
  EXPECT_EQ(dead.value.to_string(), "no record at all");
  EXPECT_EQ(dead.head.key(), "whose");
  EXPECT_THAT(dead.head.cause(), HasSubstr("malformed"));
}

TEST_F(PartitionRouterTest, AMessageThatFitsIntoNoBatchGoesToDead) {
  std::vector<std::string> many;
  for (int i = 0; i < 400; ++i) many.push_back(std::to_string(i) + "@a.routed.test");
  ASSERT_TRUE(append(log::Topic::kAccepted, message_to(many)));
  accept("1@a.routed.test");
  log_.set_batch_bytes_max(64 * 1024);
  start();
  settle();
  EXPECT_EQ(router_->problem(), "");
  EXPECT_EQ(committed(), 2);
  EXPECT_THAT(log_.rows({log::Topic::kDead, 0}), SizeIs(1));
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test"));
}

TEST_F(PartitionRouterTest, WhatWasInHandAtThreeCrashesIsHeldAndThePartitionGoesOn) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  accept("3@a.routed.test");
  accept("4@a.routed.test");
  const TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  const log::TopicPartition where{log::Topic::kAccepted, 0};
  for (std::uint32_t crash = 1; crash <= poison::kCrashesMax; ++crash) {
    poison::fake_death(file, {{{where, 1}, poison::Step::kDecode}});
    poison::fake_death(file, {{{where, 2}, poison::Step::kSplit}});
    if (crash > 1) poison::fake_death(file, {{{where, 3}, poison::Step::kDecode}});
  }
  poison_ = std::make_unique<poison::Slots>(file, 4);
  start();
  settle();
  EXPECT_EQ(committed(), 4);
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test", "4@a.routed.test"));
  const auto rows = log_.rows({log::Topic::kDead, 0});
  ASSERT_THAT(rows, SizeIs(2));
  const std::map<std::string, std::string> causes{{"accepted/0/1", "decode: in hand at 3 crashes"},
                                                  {"accepted/0/2", "split: in hand at 3 crashes"}};
  for (const auto& [key, cause] : causes) {
    const record::Dead dead = record::decode_dead(Bytes::copy_of(rows.at(key))).value();
    EXPECT_EQ(dead.head.cause(), cause);
    EXPECT_EQ(dead.head.crashes(), 3U);
    EXPECT_EQ(dead.head.key(), "key");
    EXPECT_TRUE(record::decode_message(dead.value));
  }
}

// The body is freed with its segment, weeks before an operator has decided.
TEST_F(PartitionRouterTest, WhatGoesToDeadTakesItsBodyAlong) {
  const std::string content = "Subject: x\r\n\r\nbody\r\n";
  append(log::Topic::kBodies, Rope(Bytes::copy_of(content)));
  record::Message message = record::decode_message(message_to({"1@a.routed.test"})).value();
  message.data = {};
  message.content.set_size(content.size());
  message.content.set_crc32c(crc32c(content));
  message.content.mutable_body()->set_chunks(1);
  for (int i = 0; i < 2; ++i) append(log::Topic::kAccepted, record::encode(message).value());
  const TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  poison::fake_deaths(file, {{{{log::Topic::kAccepted, 0}, 0}, poison::Step::kDecode},
                             {{{log::Topic::kAccepted, 0}, 1}, poison::Step::kSplit}});
  poison_ = std::make_unique<poison::Slots>(file, 4);
  start();
  settle();
  EXPECT_EQ(committed(), 2);
  const auto rows = log_.rows({log::Topic::kDead, 0});
  ASSERT_THAT(rows, SizeIs(2));
  for (const auto& [key, row] : rows) {
    const record::Dead dead = record::decode_dead(Bytes::copy_of(row)).value();
    EXPECT_EQ(record::decode_message(dead.value).value().data.to_string(), content) << key;
  }
}

TEST_F(PartitionRouterTest, ARecordWhoseOctetsAreGoneLeavesAMark) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  accept("3@a.routed.test");
  log_.corrupt({{log::Topic::kAccepted, 0}, 1});
  start();
  settle();
  EXPECT_EQ(committed(), 3);
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test", "3@a.routed.test"));
  EXPECT_TRUE(log_.rows({log::Topic::kDead, 0}).contains("accepted/0/1"));
}

TEST_F(PartitionRouterTest, AMissingRecordStopsThePartitionLoudly) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  start();
  log_.trim({log::Topic::kAccepted, 0}, 1);  // retention was shorter than the backlog
  settle();
  EXPECT_EQ(owner_->ownership->committed(log::Topic::kAccepted), 0);
  EXPECT_THAT(log_.records(log::Topic::kOutbound), IsEmpty());
  EXPECT_THAT(router_->problem(), HasSubstr("accepted at 0"));
  EXPECT_FALSE(ended_);
}

}  // namespace
}  // namespace godwit::router
