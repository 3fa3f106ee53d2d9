#include "common/log/kafka/admin.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <thread>

#include "common/base/check.h"
#include "common/log/errc.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTimeout = 10s;
constexpr std::chrono::milliseconds kPause = 20ms;
constexpr int kRefreshMs = 1000;

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;
using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;

std::unexpected<Error> refused(std::string_view what, rd_kafka_resp_err_t code, const char* text) {
  return fail(Errc::kUnavailable,
              fmt::format("{}: {}", what, text != nullptr ? text : rd_kafka_err2str(code)));
}

PartitionList list_of(const std::vector<KafkaAdmin::At>& places, std::int64_t offset) {
  PartitionList list = make_list();
  for (const KafkaAdmin::At& at : places) add_to(list, at.topic, at.partition, offset);
  return list;
}

// Errors that pass by themselves: a leader that is being elected, a transaction that is about to end.
bool passes(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:  // of a topic that was just made
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE: return true;
    default: return false;
  }
}

}  // namespace

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::open(const KafkaOptions& options) {
  std::unique_ptr<KafkaAdmin> admin(new KafkaAdmin(std::make_unique<ClientEvents>()));
  ClientConfig config(options, "admin", *admin->events_);
  config.set("group.id", options.topic_prefix + "readers");  // nobody joins it
  TRY(admin->handle_, std::move(config).make_admin());
  return admin;
}

Result<std::string> KafkaAdmin::cluster_id(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    constexpr int kLookMs = 100;
    rd_kafka_poll(handle_.get(), 0);
    char* id = rd_kafka_clusterid(handle_.get(), kLookMs);
    if (id != nullptr) {
      std::string text(id);
      rd_kafka_mem_free(handle_.get(), id);
      return text;
    }
    rd_kafka_poll(handle_.get(), 0);
    if (events_->refused() || std::chrono::steady_clock::now() > deadline) {
      const std::string complaint = events_->complaint();
      return fail(Errc::kUnavailable, complaint.empty() ? "no broker answers" : complaint);
    }
  }
}

Result<void> KafkaAdmin::writable(const std::string& topic, std::uint32_t replicas_min,
                                  std::chrono::milliseconds timeout) {
  rd_kafka_poll(handle_.get(), 0);
  using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;
  const Topic local(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr),
                    rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code = rd_kafka_metadata(handle_.get(), 0, local.get(), &metadata,
                                      static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const std::string complaint = events_->complaint();
    return fail(Errc::kUnavailable, complaint.empty() ? std::string("no broker answers")
                                                      : "no broker answers: " + complaint);
  }
  using Metadata = std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)>;
  const Metadata held(metadata, rd_kafka_metadata_destroy);
  for (const auto& at :
       std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
    for (const auto& part : std::span(at.partitions, static_cast<std::size_t>(at.partition_cnt))) {
      if (part.leader < 0 || part.isr_cnt < static_cast<int>(replicas_min)) {
        return fail(Errc::kUnavailable,
                    fmt::format("topic {} partition {}: {} of {} replicas in sync, wanted {}",
                                topic, part.id, part.leader < 0 ? 0 : part.isr_cnt,
                                part.replica_cnt, replicas_min));
      }
    }
  }
  return {};
}

Result<KafkaAdmin::Event> KafkaAdmin::ask(int operation, std::string_view what,
                                          const Ask& request) {
  const Queue queue(rd_kafka_queue_new(handle_.get()), rd_kafka_queue_destroy);
  const Options options(
      rd_kafka_AdminOptions_new(handle_.get(), static_cast<rd_kafka_admin_op_t>(operation)),
      rd_kafka_AdminOptions_destroy);
  std::array<char, 128> problem{};
  CHECK(rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(kTimeout.count()),
                                                  problem.data(), problem.size()) == 0,
        "{}", problem.data());
  request(options.get(), queue.get());
  Event event(rd_kafka_queue_poll(queue.get(), static_cast<int>((kTimeout + 1s).count())),
              rd_kafka_event_destroy);
  if (!event) return fail(Errc::kUnavailable, fmt::format("{}: no answer", what));
  if (const auto code = rd_kafka_event_error(event.get())) {
    return refused(what, code, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

Result<std::vector<TopicFound>> KafkaAdmin::topics(std::span<const std::string> names) {
  std::vector<const char*> texts;
  for (const std::string& name : names) texts.push_back(name.c_str());
  using Collection =
      std::unique_ptr<rd_kafka_TopicCollection_t, decltype(&rd_kafka_TopicCollection_destroy)>;
  const Collection collection(rd_kafka_TopicCollection_of_topic_names(texts.data(), texts.size()),
                              rd_kafka_TopicCollection_destroy);
  TRY(const Event event,
      ask(RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, "topics", [&](auto* options, auto* to) {
        rd_kafka_DescribeTopics(handle_.get(), collection.get(), options, to);
      }));
  std::size_t count = 0;
  const auto* result = rd_kafka_event_DescribeTopics_result(event.get());
  const auto** described = rd_kafka_DescribeTopics_result_topics(result, &count);
  std::vector<TopicFound> found;
  for (const auto* topic : std::span(described, count)) {
    const char* name = rd_kafka_TopicDescription_name(topic);
    if (const auto* error = rd_kafka_TopicDescription_error(topic)) {
      const auto code = rd_kafka_error_code(error);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      } else if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        continue;
      } else {
        return refused(name, code, rd_kafka_error_string(error));
      }
    }
    std::size_t partitions = 0;
    const auto** parts = rd_kafka_TopicDescription_partitions(topic, &partitions);
    TopicFound& at = found.emplace_back();
    at.name = name;
    at.id = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(topic));
    at.partitions = static_cast<PartitionId>(partitions);
    at.led = true;
    for (const auto* part : std::span(parts, partitions)) {
      std::size_t replicas = 0;
      (void)rd_kafka_TopicPartitionInfo_replicas(part, &replicas);
      if (at.replication == 0) at.replication = static_cast<std::uint32_t>(replicas);
      at.led = at.led && rd_kafka_TopicPartitionInfo_leader(part) != nullptr;
    }
  }
  return found;
}

Result<void> KafkaAdmin::make_topics(std::span<const TopicToMake> topics) {
  std::vector<rd_kafka_NewTopic_t*> made;
  std::array<char, 256> problem{};
  for (const TopicToMake& topic : topics) {
    rd_kafka_NewTopic_t* one =
        rd_kafka_NewTopic_new(topic.name.c_str(), static_cast<int>(topic.partitions),
                              static_cast<int>(topic.replication), problem.data(), problem.size());
    CHECK(one != nullptr, "{}: {}", topic.name, problem.data());
    for (const auto& [key, value] : topic.settings) {
      CHECK(rd_kafka_NewTopic_set_config(one, key.c_str(), value.c_str()) == 0);
    }
    made.push_back(one);
  }
  auto answer = ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, "making topics", [&](auto* options, auto* to) {
    CHECK(rd_kafka_AdminOptions_set_operation_timeout(options, static_cast<int>(kTimeout.count()),
                                                      problem.data(), problem.size()) == 0);
    rd_kafka_CreateTopics(handle_.get(), made.data(), made.size(), options, to);
  });
  rd_kafka_NewTopic_destroy_array(made.data(), made.size());
  TRY(const Event event, std::move(answer));
  std::size_t count = 0;
  const auto** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (const auto* result : std::span(results, count)) {
    const auto code = rd_kafka_topic_result_error(result);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    return refused(fmt::format("making topic {}", rd_kafka_topic_result_name(result)), code,
                   rd_kafka_topic_result_error_string(result));
  }
  return {};
}

namespace {

Settings settings_of(const rd_kafka_ConfigResource_t* resource) {
  std::size_t count = 0;
  const auto** entries = rd_kafka_ConfigResource_configs(resource, &count);
  Settings settings;
  for (const auto* entry : std::span(entries, count)) {
    const char* value = rd_kafka_ConfigEntry_value(entry);
    if (value != nullptr) settings.emplace(rd_kafka_ConfigEntry_name(entry), value);
  }
  return settings;
}

}  // namespace

Result<std::map<std::string, Settings>> KafkaAdmin::topic_settings(
    std::span<const std::string> names) {
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const std::string& name : names) {
    resources.push_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  }
  auto answer =
      ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "settings of topics", [&](auto* options, auto* to) {
        rd_kafka_DescribeConfigs(handle_.get(), resources.data(), resources.size(), options, to);
      });
  rd_kafka_ConfigResource_destroy_array(resources.data(), resources.size());
  TRY(const Event event, std::move(answer));
  std::size_t count = 0;
  const auto** results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  std::map<std::string, Settings> all;
  for (const auto* result : std::span(results, count)) {
    if (const auto code = rd_kafka_ConfigResource_error(result)) {
      return refused(fmt::format("settings of topic {}", rd_kafka_ConfigResource_name(result)),
                     code, rd_kafka_ConfigResource_error_string(result));
    }
    all.emplace(rd_kafka_ConfigResource_name(result), settings_of(result));
  }
  return all;
}

Result<Settings> KafkaAdmin::broker_settings() {
  const std::int32_t broker =
      rd_kafka_controllerid(handle_.get(), static_cast<int>(kTimeout.count()));
  rd_kafka_ConfigResource_t* resource =
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, std::to_string(broker).c_str());
  auto answer =
      ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "settings of brokers", [&](auto* options, auto* to) {
        rd_kafka_DescribeConfigs(handle_.get(), &resource, 1, options, to);
      });
  rd_kafka_ConfigResource_destroy(resource);
  if (!answer) return Settings{};  // a managed cluster does not show them
  std::size_t count = 0;
  const auto** results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(answer->get()), &count);
  if (count == 0 || rd_kafka_ConfigResource_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Settings{};
  }
  return settings_of(results[0]);
}

Result<std::vector<KafkaAdmin::At>> KafkaAdmin::list_offsets(std::vector<At> of,
                                                             std::int64_t specification,
                                                             bool committed_only) {
  if (of.empty()) return of;
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  while (true) {
    const PartitionList list = list_of(of, specification);
    auto answer = ask(RD_KAFKA_ADMIN_OP_LISTOFFSETS, "offsets", [&](auto* options, auto* to) {
      const KafkaError error(rd_kafka_AdminOptions_set_isolation_level(
          options, committed_only ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
                                  : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED));
      CHECK(!error);
      rd_kafka_ListOffsets(handle_.get(), list.get(), options, to);
    });
    if (!answer) {
      // A topic that was just made has no leaders for a moment, and the client says so in many ways.
      if (std::chrono::steady_clock::now() > deadline) return fail(std::move(answer).error());
      std::this_thread::sleep_for(kPause);
      continue;
    }
    const Event event = *std::move(answer);
    std::size_t count = 0;
    const auto** infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &count);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::map<std::pair<std::string, PartitionId>, Offset> found;
    for (const auto* info : std::span(infos, count)) {
      const auto* at = rd_kafka_ListOffsetsResultInfo_topic_partition(info);
      if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR) code = at->err;
      found[{at->topic, static_cast<PartitionId>(at->partition)}] = at->offset;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      for (At& at : of) {
        const auto one = found.find({at.topic, at.partition});
        if (one == found.end()) return fail(Errc::kUnavailable, "offsets of " + at.topic);
        at.offset = one->second;
      }
      return of;
    }
    if (!passes(code) || std::chrono::steady_clock::now() > deadline) {
      return refused("offsets", code, nullptr);
    }
    std::this_thread::sleep_for(kPause);
    // The client asks with the leader's epoch that it knows, and does not ask for a newer one by itself.
    const rd_kafka_metadata_t* fresh = nullptr;
    if (rd_kafka_metadata(handle_.get(), 1, nullptr, &fresh, kRefreshMs) ==
        RD_KAFKA_RESP_ERR_NO_ERROR)
      rd_kafka_metadata_destroy(fresh);
  }
}

Result<std::vector<KafkaAdmin::At>> KafkaAdmin::offsets(std::vector<At> of, Edge edge) {
  return list_offsets(
      std::move(of),
      edge == Edge::kStart ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST,
      edge != Edge::kEndWritten);
}

Result<std::vector<KafkaAdmin::At>> KafkaAdmin::offsets_since(std::vector<At> of, Timestamp time) {
  TRY(std::vector<At> ends, offsets(of, Edge::kEndCommitted));
  if (time > system_clock().now()) return ends;
  TRY(std::vector<At> since,
      list_offsets(std::move(of), std::max<std::int64_t>(0, to_unix_ms(time)), true));
  for (std::size_t i = 0; i < since.size(); ++i) {
    if (since[i].offset < 0) since[i].offset = ends[i].offset;
  }
  return since;
}

Result<std::vector<KafkaAdmin::At>> KafkaAdmin::committed(const std::string& group,
                                                          std::vector<At> of) {
  if (of.empty()) return of;
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  while (true) {
    const PartitionList list = list_of(of, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_ListConsumerGroupOffsets_t* request =
        rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list.get());
    auto answer =
        ask(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, "committed offsets",
            [&](auto* options, auto* to) {
              const KafkaError error(rd_kafka_AdminOptions_set_require_stable_offsets(options, 1));
              CHECK(!error);
              rd_kafka_ListConsumerGroupOffsets(handle_.get(), &request, 1, options, to);
            });
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    if (!answer) return fail(std::move(answer).error());
    std::size_t count = 0;
    const auto** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(answer->get()), &count);
    CHECK(count == 1, "{} groups", count);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (const auto* error = rd_kafka_group_result_error(groups[0]))
      code = rd_kafka_error_code(error);
    std::map<std::pair<std::string, PartitionId>, Offset> found;
    if (const auto* partitions = rd_kafka_group_result_partitions(groups[0])) {
      for (const auto& at :
           std::span(partitions->elems, static_cast<std::size_t>(partitions->cnt))) {
        if (at.err != RD_KAFKA_RESP_ERR_NO_ERROR) code = at.err;
        found[{at.topic, static_cast<PartitionId>(at.partition)}] = at.offset;
      }
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      for (At& at : of) {
        const auto one = found.find({at.topic, at.partition});
        at.offset = one == found.end() || one->second < 0 ? -1 : one->second;
      }
      return of;
    }
    if (!passes(code) || std::chrono::steady_clock::now() > deadline) {
      return refused("committed offsets", code, nullptr);
    }
    std::this_thread::sleep_for(kPause);
  }
}

Result<std::vector<KafkaAdmin::Member>> KafkaAdmin::members(const std::string& group) {
  const char* name = group.c_str();
  TRY(const Event event,
      ask(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, "members", [&](auto* options, auto* to) {
        rd_kafka_DescribeConsumerGroups(handle_.get(), &name, 1, options, to);
      }));
  std::size_t count = 0;
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
  CHECK(count == 1, "{} groups", count);
  if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    const auto code = rd_kafka_error_code(error);
    // One that was never joined.
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return std::vector<Member>{};
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return refused("members of " + group, code, rd_kafka_error_string(error));
  }
  std::vector<Member> members;
  for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); ++i) {
    const auto* described = rd_kafka_ConsumerGroupDescription_member(groups[0], i);
    const char* instance = rd_kafka_MemberDescription_group_instance_id(described);
    if (instance == nullptr) continue;
    Member& member = members.emplace_back();
    member.node = instance;
    member.host = rd_kafka_MemberDescription_host(described);
    const auto* assignment = rd_kafka_MemberDescription_assignment(described);
    const auto* partitions =
        assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
    if (partitions == nullptr) continue;
    for (const auto& at : std::span(partitions->elems, static_cast<std::size_t>(partitions->cnt))) {
      if (member.topics.empty() || member.topics.back() != at.topic)
        member.topics.emplace_back(at.topic);
    }
  }
  return members;
}

}  // namespace godwit::log
