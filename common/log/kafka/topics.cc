#include "common/log/kafka/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

// What a record of kRecordBytesMax needs, and Kafka's own default.
constexpr std::int64_t kMessageBytesMin = 1'048'588;
constexpr std::chrono::hours kDeleteRetention{24 * 7};
constexpr std::chrono::hours kOffsetsRetentionMin{24 * 45};

std::string in_ms(std::chrono::milliseconds time) {
  return std::to_string(time.count());
}

std::optional<std::int64_t> number(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  if (found == settings.end()) return std::nullopt;
  std::int64_t value = 0;
  const char* end = found->second.data() + found->second.size();
  if (std::from_chars(found->second.data(), end, value).ptr != end) return std::nullopt;
  return value;
}

// nothing, or for ever, or at least as long as wanted
bool retains(std::int64_t found, std::int64_t wanted) {
  return found < 0 || found >= wanted;
}

enum class Rule : std::uint8_t { kSame, kAtLeast, kRetention };
Rule rule_of(const std::string& key) {
  if (key == "retention.ms" || key == "retention.bytes" || key == "delete.retention.ms") {
    return Rule::kRetention;
  }
  if (key == "max.message.bytes" || key == "min.insync.replicas") return Rule::kAtLeast;
  return Rule::kSame;
}

std::unexpected<Error> wrong_setting(std::string complaint) {
  return fail(std::make_error_code(std::errc::invalid_argument), std::move(complaint));
}

PartitionId partitions_of(Topic topic, const KafkaOptions& options) {
  return is_single_partition(topic) ? 1 : options.partitions;
}

}  // namespace

std::chrono::hours retention_of(Topic topic, const KafkaOptions& options) {
  switch (topic) {
    case Topic::kBodies: return options.bodies_retention;
    case Topic::kEvents:
    case Topic::kAudit:
    case Topic::kAccepted:
    case Topic::kAcceptedUrgent: return std::max(options.events_retention, options.retention);
    case Topic::kAuth: return 1h;
    default: return options.retention;
  }
}

Settings wanted_settings(Topic topic, const KafkaOptions& options) {
  Settings settings{{"max.message.bytes", std::to_string(kMessageBytesMin)},
                    {"message.timestamp.type", "LogAppendTime"},
                    {"min.insync.replicas", std::to_string(options.min_insync_replicas)},
                    {"unclean.leader.election.enable", "false"}};
  if (is_table(topic)) {
    settings["cleanup.policy"] = "compact";
    settings["delete.retention.ms"] = in_ms(kDeleteRetention);
  } else {
    settings["cleanup.policy"] = "delete";
    settings["retention.ms"] = in_ms(retention_of(topic, options));
    settings["retention.bytes"] = "-1";
  }
  return settings;
}

std::string complaint_about(Topic topic, const TopicFound& found, const Settings& settings,
                            const KafkaOptions& options) {
  if (found.replication < options.replication) {
    return fmt::format("topic {}: replication is {}, wanted at least {}", found.name,
                       found.replication, options.replication);
  }
  const PartitionId partitions = partitions_of(topic, options);
  if (is_single_partition(topic) ? found.partitions != 1 : found.partitions < partitions) {
    return fmt::format("topic {}: it has {} partitions, wanted {}{}", found.name, found.partitions,
                       is_single_partition(topic) ? "" : "at least ", partitions);
  }
  for (const auto& [key, wanted] : wanted_settings(topic, options)) {
    const auto is = settings.find(key);
    if (is == settings.end() || is->second == wanted) continue;
    const Rule rule = rule_of(key);
    const auto have = number(settings, key);
    const auto want = number({{key, wanted}}, key);
    if (rule == Rule::kAtLeast && have && want && *have >= *want) continue;
    if (rule == Rule::kRetention && have && want && *want >= 0 && retains(*have, *want)) continue;
    return fmt::format("topic {}: {} is {}, wanted {}{}", found.name, key, is->second,
                       rule == Rule::kSame || wanted.starts_with('-') ? "" : "at least ", wanted);
  }
  return {};
}

std::string complaint_about_brokers(const Settings& settings, const KafkaOptions& options) {
  const auto minutes = [](auto time) {
    return std::chrono::duration_cast<std::chrono::minutes>(time).count();
  };
  struct AtLeast {
    const char* key;
    std::int64_t wanted;
  };
  // Positions and the state of transactions are as durable as the mail they speak of.
  const AtLeast all[] = {
      {"offsets.retention.minutes", minutes(kOffsetsRetentionMin)},
      {"offsets.topic.replication.factor", options.replication},
      {"transaction.state.log.replication.factor", options.replication},
      {"transaction.state.log.min.isr", options.min_insync_replicas},
      {"group.max.session.timeout.ms", options.session_timeout.count()},
  };
  for (const auto& [key, wanted] : all) {
    const auto found = number(settings, key);
    if (found && *found < wanted)
      return fmt::format("the brokers: {} is {}, wanted at least {}", key, *found, wanted);
  }
  const auto session_min = number(settings, "group.min.session.timeout.ms");
  if (session_min && *session_min > options.session_timeout.count()) {
    return fmt::format("the brokers: group.min.session.timeout.ms is {}, wanted at most {}",
                       *session_min, options.session_timeout.count());
  }
  return {};
}

std::string weakness_of_brokers(const Settings& settings) {
  // The protocol version was a setting until 4.0.
  if (const auto old = settings.find("inter.broker.protocol.version"); old != settings.end()) {
    return fmt::format("the brokers are older than 4.0 (inter.broker.protocol.version is {})",
                       old->second);
  }
  const auto verified = settings.find("transaction.partition.verification.enable");
  if (verified != settings.end() && verified->second != "true")
    return "the brokers: transaction.partition.verification.enable is " + verified->second;
  return {};
}

Result<KafkaTopics> ensure_topics(KafkaAdmin& admin, const TopicNames& names,
                                  const KafkaOptions& options) {
  const auto deadline = std::chrono::steady_clock::now() + 15s;
  KafkaTopics topics;
  TRY(topics.cluster_id, admin.cluster_id(10s));
  TRY(const Settings of_brokers, admin.broker_settings());
  if (std::string wrong = complaint_about_brokers(of_brokers, options); !wrong.empty()) {
    return wrong_setting(std::move(wrong));
  }
  if (const std::string weak = weakness_of_brokers(of_brokers); !weak.empty()) {
    kLog.warning("mail may be delivered twice after a failure of a broker, and is never lost",
                 {{"because", weak}});
  }
  std::vector<std::string> wanted;
  for (int topic = 1; topic <= kTopicMax; ++topic) {
    wanted.push_back(names.of(static_cast<Topic>(topic)));
  }
  TRY(std::vector<TopicFound> found, admin.topics(wanted));
  std::vector<TopicToMake> missing;
  for (const std::string& name : wanted) {
    if (std::ranges::find(found, name, &TopicFound::name) != found.end()) continue;
    const Topic topic = *names.find(name);
    missing.push_back({.name = name,
                       .partitions = partitions_of(topic, options),
                       .replication = options.replication,
                       .settings = wanted_settings(topic, options)});
  }
  if (!missing.empty()) TRY_VOID(admin.make_topics(missing));
  // A topic is there before each broker knows it, and before its partitions have leaders.
  while (found.size() < wanted.size() || !std::ranges::all_of(found, &TopicFound::led)) {
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::kUnavailable, "topics have partitions without a leader");
    }
    if (!missing.empty()) std::this_thread::sleep_for(20ms);
    TRY(found, admin.topics(wanted));
  }
  TRY(const auto settings, admin.topic_settings(wanted));
  for (const TopicFound& at : found) {
    const Topic topic = *names.find(at.name);
    if (std::string wrong = complaint_about(topic, at, settings.at(at.name), options);
        !wrong.empty()) {
      return wrong_setting(std::move(wrong));
    }
    topics.partitions[static_cast<std::size_t>(topic)] = at.partitions;
    topics.ids[static_cast<std::size_t>(topic)] = at.id;
  }
  // What is read by the owner of the same partition number has to have the same numbers.
  constexpr std::array kEqual{std::pair{Topic::kAccepted, Topic::kAcceptedUrgent},
                              std::pair{Topic::kOutbound, Topic::kOutboundUrgent},
                              std::pair{Topic::kOutbound, Topic::kRetries},
                              std::pair{Topic::kReports, Topic::kEvents}};
  for (const auto& [one, other] : kEqual) {
    const PartitionId first = topics.partitions[static_cast<std::size_t>(one)];
    const PartitionId second = topics.partitions[static_cast<std::size_t>(other)];
    if (first != second) {
      return wrong_setting(fmt::format("topic {}: it has {} partitions, wanted {} as {} has",
                                       names.of(other), second, first, names.of(one)));
    }
  }
  return topics;
}

}  // namespace godwit::log
