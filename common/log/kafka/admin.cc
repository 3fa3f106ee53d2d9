#include "common/log/kafka/admin.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "common/base/check.h"
#include "common/log/errc.h"
#include "common/log/kafka/admin_request.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr int kRefreshMs = 1000;

PartitionList list_of(const std::vector<KafkaAdmin::At>& places, std::int64_t offset) {
  PartitionList list = make_list();
  for (const KafkaAdmin::At& at : places) add_to(list, at.topic, at.partition, offset);
  return list;
}

}  // namespace

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::open(const KafkaOptions& options) {
  std::unique_ptr<KafkaAdmin> admin(new KafkaAdmin(options));
  ClientConfig config(options, "admin", admin->events_);
  config.set("group.id", options.topic_prefix + "readers");  // nobody joins it
  TRY(admin->handle_, std::move(config).make_admin());
  return admin;
}

// Librdkafka's request of an administrator has no time limit of its own while it looks for the coordinator, and ends
// the process when it comes to life after its caller gave up. A group's own client has neither trouble.
Result<rd_kafka_t*> KafkaAdmin::client_of(const std::string& group) {
  const std::lock_guard lock(mutex_);
  Handle& client = groups_[group];
  if (!client) {
    ClientConfig config(options_, "positions", events_);
    config.set("group.id", group).set("isolation.level", "read_committed");  // stable ones
    TRY(client, std::move(config).make_admin());
  }
  return client.get();
}

void KafkaAdmin::serve_callbacks() {
  rd_kafka_poll(handle_.get(), 0);
  const std::lock_guard lock(mutex_);
  for (const auto& [group, client] : groups_) {
    if (client) rd_kafka_poll(client.get(), 0);
  }
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
    const std::string complaint = events_.complaint();
    if (events_.refused())
      return fail(std::make_error_code(std::errc::permission_denied), complaint);
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::kUnavailable, complaint.empty() ? "no broker answers" : complaint);
    }
  }
}

Result<void> KafkaAdmin::writable(const std::string& topic, std::uint32_t replicas_min,
                                  std::chrono::milliseconds timeout) {
  serve_callbacks();
  using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;
  const Topic local(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr),
                    rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code = rd_kafka_metadata(handle_.get(), 0, local.get(), &metadata,
                                      static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const std::string complaint = events_.complaint();
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

namespace {

// A described topic; none: the brokers know no such topic.
Answer<std::optional<TopicFound>> described_topic(const rd_kafka_TopicDescription_t* topic) {
  const char* name = rd_kafka_TopicDescription_name(topic);
  if (const auto* error = rd_kafka_TopicDescription_error(topic)) {
    const auto code = rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::nullopt;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return refused(name, code, rd_kafka_error_string(error));
    }
  }
  std::size_t partitions = 0;
  const auto** parts = rd_kafka_TopicDescription_partitions(topic, &partitions);
  TopicFound found{.name = name,
                   .id = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(topic)),
                   .partitions = static_cast<PartitionId>(partitions),
                   .led = true};
  for (const auto* part : std::span(parts, partitions)) {
    std::size_t replicas = 0;
    (void)rd_kafka_TopicPartitionInfo_replicas(part, &replicas);
    if (found.replication == 0) found.replication = static_cast<std::uint32_t>(replicas);
    found.led = found.led && rd_kafka_TopicPartitionInfo_leader(part) != nullptr;
  }
  return found;
}

Answer<std::vector<TopicFound>> described_topics(rd_kafka_t* client,
                                                 std::span<const std::string> names) {
  std::vector<const char*> texts;
  for (const std::string& name : names) texts.push_back(name.c_str());
  using Collection =
      std::unique_ptr<rd_kafka_TopicCollection_t, decltype(&rd_kafka_TopicCollection_destroy)>;
  const Collection collection(rd_kafka_TopicCollection_of_topic_names(texts.data(), texts.size()),
                              rd_kafka_TopicCollection_destroy);
  const auto event =
      ask(client, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, "topics", [&](auto* options, auto* to) {
        rd_kafka_DescribeTopics(client, collection.get(), options, to);
      });
  if (!event) return std::unexpected(event.error());
  std::size_t count = 0;
  const auto* result = rd_kafka_event_DescribeTopics_result(event->get());
  const auto** described = rd_kafka_DescribeTopics_result_topics(result, &count);
  std::vector<TopicFound> found;
  for (const auto* topic : std::span(described, count)) {
    auto one = described_topic(topic);
    if (!one) return std::unexpected(std::move(one).error());
    if (*one) found.push_back(**std::move(one));
  }
  return found;
}

}  // namespace

Result<std::vector<TopicFound>> KafkaAdmin::topics(std::span<const std::string> names) {
  return with_patience(kPatience, [&] { return described_topics(handle_.get(), names); });
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
  const auto event = ask(
      handle_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, "making topics", [&](auto* options, auto* to) {
        CHECK(rd_kafka_AdminOptions_set_operation_timeout(options,
                                                          static_cast<int>(kAdminTimeout.count()),
                                                          problem.data(), problem.size()) == 0);
        rd_kafka_CreateTopics(handle_.get(), made.data(), made.size(), options, to);
      });
  rd_kafka_NewTopic_destroy_array(made.data(), made.size());
  if (!event) return fail(event.error().error);
  std::size_t count = 0;
  const auto** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  for (const auto* result : std::span(results, count)) {
    const auto code = rd_kafka_topic_result_error(result);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    return fail(Errc::kUnavailable,
                fmt::format("making topic {}: {}", rd_kafka_topic_result_name(result),
                            rd_kafka_topic_result_error_string(result)));
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

// By the name of the resource.
Answer<std::map<std::string, Settings>> described_settings(rd_kafka_t* client,
                                                           rd_kafka_ResourceType_t kind,
                                                           std::span<const std::string> names) {
  const std::string_view what =
      kind == RD_KAFKA_RESOURCE_TOPIC ? "settings of topics" : "settings of brokers";
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const std::string& name : names) {
    resources.push_back(rd_kafka_ConfigResource_new(kind, name.c_str()));
  }
  const auto event =
      ask(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, what, [&](auto* options, auto* to) {
        rd_kafka_DescribeConfigs(client, resources.data(), resources.size(), options, to);
      });
  rd_kafka_ConfigResource_destroy_array(resources.data(), resources.size());
  if (!event) return std::unexpected(event.error());
  std::size_t count = 0;
  const auto** results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  std::map<std::string, Settings> all;
  for (const auto* result : std::span(results, count)) {
    if (const auto code = rd_kafka_ConfigResource_error(result)) {
      return refused(fmt::format("{}: {}", what, rd_kafka_ConfigResource_name(result)), code,
                     rd_kafka_ConfigResource_error_string(result));
    }
    all.emplace(rd_kafka_ConfigResource_name(result), settings_of(result));
  }
  return all;
}

}  // namespace

Result<std::map<std::string, Settings>> KafkaAdmin::topic_settings(
    std::span<const std::string> names) {
  return with_patience(
      kPatience, [&] { return described_settings(handle_.get(), RD_KAFKA_RESOURCE_TOPIC, names); });
}

Result<Settings> KafkaAdmin::broker_settings() {
  const std::int32_t broker =
      rd_kafka_controllerid(handle_.get(), static_cast<int>(kAdminTimeout.count()));
  const std::array name{std::to_string(broker)};
  auto all = described_settings(handle_.get(), RD_KAFKA_RESOURCE_BROKER, name);
  if (!all || all->empty()) return Settings{};  // a managed cluster does not show them
  return std::move(all->begin()->second);
}

namespace {

using Places = std::vector<KafkaAdmin::At>;

// What the brokers say of one partition each: offsets, or an error of one of them.
class Offsets {
 public:
  void add(const rd_kafka_topic_partition_t& at) {
    if (at.err != RD_KAFKA_RESP_ERR_NO_ERROR) code_ = at.err;
    found_[{at.topic, static_cast<PartitionId>(at.partition)}] = at.offset;
  }
  [[nodiscard]] rd_kafka_resp_err_t code() const { return code_; }
  [[nodiscard]] std::optional<Offset> of(const KafkaAdmin::At& at) const {
    const auto one = found_.find({at.topic, at.partition});
    if (one == found_.end()) return std::nullopt;
    return one->second;
  }

 private:
  rd_kafka_resp_err_t code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::map<std::pair<std::string, PartitionId>, Offset> found_;
};

Answer<Places> listed_offsets(rd_kafka_t* client, Places of, std::int64_t specification,
                              bool committed_only) {
  constexpr std::string_view kWhat = "offsets";
  const PartitionList list = list_of(of, specification);
  auto event = ask(client, RD_KAFKA_ADMIN_OP_LISTOFFSETS, kWhat, [&](auto* options, auto* to) {
    const KafkaError error(rd_kafka_AdminOptions_set_isolation_level(
        options, committed_only ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
                                : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED));
    CHECK(!error);
    rd_kafka_ListOffsets(client, list.get(), options, to);
  });
  if (!event) {
    // That a topic has no leaders for a moment the client says in many ways.
    event.error().passes = true;
    return std::unexpected(std::move(event).error());
  }
  std::size_t count = 0;
  const auto** infos =
      rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event->get()), &count);
  Offsets found;
  for (const auto* info : std::span(infos, count)) {
    found.add(*rd_kafka_ListOffsetsResultInfo_topic_partition(info));
  }
  if (found.code() != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // The client asks with the leader's epoch that it knows, and does not ask for a newer one by itself.
    const rd_kafka_metadata_t* fresh = nullptr;
    if (rd_kafka_metadata(client, 1, nullptr, &fresh, kRefreshMs) == RD_KAFKA_RESP_ERR_NO_ERROR)
      rd_kafka_metadata_destroy(fresh);
    return refused(kWhat, found.code());
  }
  for (KafkaAdmin::At& at : of) {
    const auto offset = found.of(at);
    if (!offset) return refused("offsets of " + at.topic, RD_KAFKA_RESP_ERR__BAD_MSG);
    at.offset = *offset;
  }
  return of;
}

// Of a client with the group's name that never joins it.
Answer<Places> committed_offsets(rd_kafka_t* client, Places of) {
  constexpr std::string_view kWhat = "committed offsets";
  constexpr int kStepMs = 1000;
  const PartitionList list = list_of(of, RD_KAFKA_OFFSET_INVALID);
  if (const auto code = rd_kafka_committed(client, list.get(), kStepMs)) {
    auto refusal = refused(kWhat, code);
    // The client asks again by itself while a transaction is open, and says in the end that time is over.
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) refusal.error().passes = true;
    return refusal;
  }
  Offsets found;
  for (const auto& at : std::span(list->elems, static_cast<std::size_t>(list->cnt))) found.add(at);
  if (found.code() != RD_KAFKA_RESP_ERR_NO_ERROR) return refused(kWhat, found.code());
  for (KafkaAdmin::At& at : of) at.offset = std::max<Offset>(-1, found.of(at).value_or(-1));
  return of;
}

}  // namespace

Result<Places> KafkaAdmin::list_offsets(Places of, std::int64_t specification,
                                        bool committed_only) {
  if (of.empty()) return of;
  return with_patience(
      kPatience, [&] { return listed_offsets(handle_.get(), of, specification, committed_only); });
}

Result<Places> KafkaAdmin::offsets(Places of, Edge edge) {
  return list_offsets(
      std::move(of),
      edge == Edge::kStart ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST,
      edge != Edge::kEndWritten);
}

Result<Places> KafkaAdmin::offsets_since(Places of, Timestamp time) {
  TRY(Places ends, offsets(of, Edge::kEndCommitted));
  if (time > system_clock().now()) return ends;
  TRY(Places since, list_offsets(std::move(of), std::max<std::int64_t>(0, to_unix_ms(time)), true));
  for (std::size_t i = 0; i < since.size(); ++i) {
    if (since[i].offset < 0) since[i].offset = ends[i].offset;
  }
  return since;
}

Result<Places> KafkaAdmin::committed(const std::string& group, Places of,
                                     std::chrono::milliseconds patience) {
  if (of.empty()) return of;
  TRY(rd_kafka_t* const client, client_of(group));
  return with_patience(patience, [&] { return committed_offsets(client, of); });
}

Result<std::vector<KafkaAdmin::Member>> KafkaAdmin::members(const std::string& group,
                                                            std::chrono::milliseconds timeout) {
  const std::lock_guard lock(members_mutex_);
  if (!members_) {
    ClientConfig config(options_, "members", events_);
    config.set("group.id", options_.topic_prefix + "readers");  // nobody joins it
    TRY(members_, std::move(config).make_admin());
  }
  rd_kafka_poll(members_.get(), 0);
  const char* name = group.c_str();
  const auto event =
      ask_coordinator(members_, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, "members", timeout,
                      [&](auto* options, auto* to) {
                        rd_kafka_DescribeConsumerGroups(members_.get(), &name, 1, options, to);
                      });
  if (!event) return fail(event.error().error);
  std::size_t count = 0;
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(event->get()), &count);
  CHECK(count == 1, "{} groups", count);
  if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    const auto code = rd_kafka_error_code(error);
    // One that was never joined.
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return std::vector<Member>{};
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(Errc::kUnavailable,
                  fmt::format("members of {}: {}", group, rd_kafka_error_string(error)));
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
