#include "common/log/kafka/topics.h"

#include <gtest/gtest.h>

namespace godwit::log {
namespace {

KafkaOptions options() {
  KafkaOptions options;
  options.partitions = 4;
  return options;
}

TopicFound found(Topic topic) {
  return {.name = "godwit." + std::string(topic_name(topic)),
          .id = "id",
          .partitions = is_single_partition(topic) ? 1u : 4u,
          .replication = 3,
          .led = true};
}

TEST(KafkaTopics, WhatIsMadeIsFine) {
  for (int number = 1; number <= kTopicMax; ++number) {
    const auto topic = static_cast<Topic>(number);
    EXPECT_EQ(complaint_about(topic, found(topic), wanted_settings(topic, options()), options()),
              "");
  }
}

TEST(KafkaTopics, AComplaintNamesTopicSettingFoundAndWanted) {
  struct Case {
    Topic topic;
    const char* key;
    const char* value;
    const char* complaint;
  };
  const Case cases[] = {
      {Topic::kOutbound, "cleanup.policy", "compact",
       "topic godwit.outbound: cleanup.policy is compact, wanted delete"},
      {Topic::kRetries, "cleanup.policy", "delete",
       "topic godwit.retries: cleanup.policy is delete, wanted compact"},
      {Topic::kRetries, "delete.retention.ms", "86400000",
       "topic godwit.retries: delete.retention.ms is 86400000, wanted at least 604800000"},
      {Topic::kOutbound, "retention.ms", "604800000",
       "topic godwit.outbound: retention.ms is 604800000, wanted at least 1209600000"},
      {Topic::kOutbound, "retention.ms", "-1", ""},
      {Topic::kOutbound, "retention.ms", "1209600001", ""},
      {Topic::kOutbound, "retention.bytes", "1000000",
       "topic godwit.outbound: retention.bytes is 1000000, wanted -1"},
      {Topic::kAccepted, "message.timestamp.type", "CreateTime",
       "topic godwit.accepted: message.timestamp.type is CreateTime, wanted LogAppendTime"},
      {Topic::kAccepted, "min.insync.replicas", "1",
       "topic godwit.accepted: min.insync.replicas is 1, wanted at least 2"},
      {Topic::kAccepted, "min.insync.replicas", "3", ""},
      {Topic::kAccepted, "max.message.bytes", "1000",
       "topic godwit.accepted: max.message.bytes is 1000, wanted at least 1048588"},
      {Topic::kAccepted, "unclean.leader.election.enable", "true",
       "topic godwit.accepted: unclean.leader.election.enable is true, wanted false"},
  };
  for (const Case& one : cases) {
    Settings settings = wanted_settings(one.topic, options());
    settings[one.key] = one.value;
    EXPECT_EQ(complaint_about(one.topic, found(one.topic), settings, options()), one.complaint);
  }
}

TEST(KafkaTopics, ReplicasAndPartitionsAreCounted) {
  TopicFound few = found(Topic::kEvents);
  few.partitions = 3;
  const Settings settings = wanted_settings(Topic::kEvents, options());
  EXPECT_EQ(complaint_about(Topic::kEvents, few, settings, options()),
            "topic godwit.events: it has 3 partitions, wanted at least 4");
  few.partitions = 5;
  EXPECT_EQ(complaint_about(Topic::kEvents, few, settings, options()), "");
  few.replication = 2;
  EXPECT_EQ(complaint_about(Topic::kEvents, few, settings, options()),
            "topic godwit.events: replication is 2, wanted at least 3");
  TopicFound wide = found(Topic::kControl);
  wide.partitions = 2;
  EXPECT_EQ(complaint_about(Topic::kControl, wide, wanted_settings(Topic::kControl, options()),
                            options()),
            "topic godwit.control: it has 2 partitions, wanted 1");
}

TEST(KafkaTopics, BrokersKeepWhatIsKnownOfMailAsWellAsMail) {
  struct Case {
    const char* key;
    const char* value;
    const char* complaint;
  };
  const Case cases[] = {
      {"offsets.retention.minutes", "64800", ""},
      {"offsets.retention.minutes", "10080",
       "the brokers: offsets.retention.minutes is 10080, wanted at least 64800"},
      {"offsets.topic.replication.factor", "3", ""},
      {"offsets.topic.replication.factor", "1",
       "the brokers: offsets.topic.replication.factor is 1, wanted at least 3"},
      {"transaction.state.log.replication.factor", "2",
       "the brokers: transaction.state.log.replication.factor is 2, wanted at least 3"},
      {"transaction.state.log.min.isr", "1",
       "the brokers: transaction.state.log.min.isr is 1, wanted at least 2"},
      {"group.max.session.timeout.ms", "20000",
       "the brokers: group.max.session.timeout.ms is 20000, wanted at least 30000"},
      {"group.min.session.timeout.ms", "60000",
       "the brokers: group.min.session.timeout.ms is 60000, wanted at most 30000"},
  };
  EXPECT_EQ(complaint_about_brokers({}, options()), "");
  for (const Case& one : cases) {
    EXPECT_EQ(complaint_about_brokers({{one.key, one.value}}, options()), one.complaint);
  }
}

TEST(KafkaTopics, WhatOldBrokersCannotPromiseIsSaid) {
  EXPECT_EQ(weakness_of_brokers({}), "");
  EXPECT_EQ(weakness_of_brokers({{"transaction.partition.verification.enable", "true"}}), "");
  EXPECT_EQ(weakness_of_brokers({{"transaction.partition.verification.enable", "false"}}),
            "the brokers: transaction.partition.verification.enable is false");
  EXPECT_EQ(weakness_of_brokers({{"inter.broker.protocol.version", "3.9-IV0"}}),
            "the brokers are older than 4.0 (inter.broker.protocol.version is 3.9-IV0)");
}

}  // namespace
}  // namespace godwit::log
