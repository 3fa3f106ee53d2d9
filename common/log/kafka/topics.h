#pragma once

#include <array>
#include <map>
#include <string>

#include "common/log/kafka/admin.h"

namespace godwit::log {

// The topics as this cluster has them.
struct KafkaTopics {
  std::string cluster_id;
  std::array<PartitionId, kTopicMax + 1> partitions{};
  std::array<std::string, kTopicMax + 1> ids;
};

// How long records of a topic are kept, at least.
[[nodiscard]] std::chrono::hours retention_of(Topic topic, const KafkaOptions& options);

// What each topic is asked to be: docs/kafka.md has the table.
[[nodiscard]] Settings wanted_settings(Topic topic, const KafkaOptions& options);

// The first thing that is wrong with a topic as it is, "godwit.outbound: max.message.bytes is 1000, wanted at
// least 1048588"; empty: nothing. Pure.
[[nodiscard]] std::string complaint_about(Topic topic, const TopicFound& found,
                                          const Settings& settings, const KafkaOptions& options);
// The same of the brokers' own settings, where they show them.
[[nodiscard]] std::string complaint_about_brokers(const Settings& settings,
                                                  const KafkaOptions& options);
// What the brokers cannot promise: mail may be delivered twice after a failure, never lost. Empty: nothing.
[[nodiscard]] std::string weakness_of_brokers(const Settings& settings);

// Makes the topics that are missing, and looks at every one. Blocks for a few round trips, 15 s at most.
// Errors   kUnavailable: brokers do not answer, or refuse; std::errc::invalid_argument: they or a topic are not as they
//          have to be; says which and why
[[nodiscard]] Result<KafkaTopics> ensure_topics(KafkaAdmin& admin, const TopicNames& names,
                                                const KafkaOptions& options);

}  // namespace godwit::log
