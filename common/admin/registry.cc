#include "common/admin/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "common/admin/waiting.h"
#include "common/observe/log.h"
#include "godwit/v1/node.pb.h"

namespace godwit::admin {
namespace {

using log::Topic;

constexpr observe::Logger kLog{"nodes"};
constexpr std::uint32_t kVersion = 1;
constexpr int kMissedBeats = 3;
constexpr std::chrono::seconds kGoodbyePatience{2};
constexpr std::chrono::seconds kOldestPatience{5};

std::string key_of(const NodeRow& row) {
  std::string key = row.node + "/";
  for (const RoleInfo& role : row.roles) {
    if (key.back() != '/') key += '+';
    key += role.name;
  }
  return key.substr(0, log::kKeyBytesMax);
}

std::string encode(const NodeRow& row) {
  godwit::v1::NodeRecord message;
  message.set_version(kVersion);
  message.set_node(row.node);
  message.set_software(row.software);
  for (const RoleInfo& role : row.roles) {
    auto& into = *message.add_roles();
    into.set_name(role.name);
    into.set_problem(role.problem);
  }
  message.set_admin(row.admin);
  message.set_observe(row.observe);
  message.set_started_unix_ms(to_unix_ms(row.started));
  message.set_heartbeat_unix_ms(to_unix_ms(row.heartbeat));
  message.set_heartbeat_interval_ms(static_cast<std::uint32_t>(row.interval.count()));
  message.set_pid(row.pid);
  message.set_draining(row.draining);
  message.set_ended(row.ended);
  for (const Owned& owned : row.owned) {
    auto& into = *message.add_owned();
    into.set_group(owned.group);
    for (const Topic topic : owned.topics) into.add_topics(static_cast<std::uint32_t>(topic));
    for (const log::PartitionId partition : owned.partitions) into.add_partitions(partition);
  }
  return message.SerializeAsString();
}

std::optional<NodeRow> decode(std::string_view value) {
  godwit::v1::NodeRecord message;
  if (!message.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
      message.version() > kVersion) {
    return std::nullopt;
  }
  NodeRow row{.node = message.node(),
              .software = message.software(),
              .admin = message.admin(),
              .observe = message.observe(),
              .started = from_unix_ms(message.started_unix_ms()),
              .heartbeat = from_unix_ms(message.heartbeat_unix_ms()),
              .interval = std::chrono::milliseconds(message.heartbeat_interval_ms()),
              .pid = message.pid(),
              .draining = message.draining(),
              .ended = message.ended()};
  for (const auto& role : message.roles()) row.roles.push_back({role.name(), role.problem()});
  for (const auto& from : message.owned()) {
    Owned owned{.group = from.group(),
                .topics = {},
                .partitions = {from.partitions().begin(), from.partitions().end()}};
    for (const std::uint32_t topic : from.topics()) {
      if (topic >= 1 && topic <= log::kTopicMax) owned.topics.push_back(static_cast<Topic>(topic));
    }
    row.owned.push_back(std::move(owned));
  }
  return row;
}

// What there is to read, also when nobody reads it just now.
using Groups = std::map<std::string, std::vector<Topic>>;
Groups groups_of(const std::vector<NodeRow>& nodes) {
  Groups groups{{"router", {Topic::kAccepted, Topic::kAcceptedUrgent}},
                {"sender", {Topic::kOutbound, Topic::kOutboundUrgent}}};
  for (const NodeRow& node : nodes) {
    for (const Owned& owned : node.owned) {
      std::vector<Topic>& topics = groups[owned.group];
      for (const Topic topic : owned.topics) {
        if (std::ranges::find(topics, topic) == topics.end()) topics.push_back(topic);
      }
    }
  }
  return groups;
}

// When the log took the record at `from`, or the first one behind it.
Timestamp time_of(log::Log& log, log::TopicPartition where, log::Offset from,
                  std::chrono::steady_clock::time_point until) {
  auto reader = log.read_from(where, from);
  if (!reader) return {};
  while (true) {
    auto records = (*reader)->take(1, 1);
    if (!records) return {};
    if (!records->empty()) return records->front().time;
    auto woken = std::make_shared<std::promise<void>>();
    auto wake = woken->get_future();
    (*reader)->when_ready([woken] { woken->set_value(); });
    if (wake.wait_until(until) != std::future_status::ready) return {};
  }
}

}  // namespace

bool NodeRow::alive(Timestamp now) const {
  return !ended && now - heartbeat <= kMissedBeats * interval;
}

std::string_view NodeRow::state(Timestamp now) const {
  if (ended) return "ended";
  if (!alive(now)) return "silent";
  return draining ? "draining" : "up";
}

Result<std::unique_ptr<Registry>> Registry::open(log::Log& log, const Clock& clock) {
  TRY(auto table, log.shared_table(Topic::kNodes));
  return std::unique_ptr<Registry>(new Registry(log, clock, std::move(table)));
}

void Registry::beat(NodeRow self) {
  // The last room on a full disk is for mail.
  if (const log::Status status = log_.status(); !status.writable && status.bytes_free == 0) return;
  const Timestamp now = clock_.now();
  self.heartbeat = {};
  self.interval = kInterval;
  std::string content = encode(self);
  {
    const std::lock_guard lock(mutex_);
    const bool first = written_.empty();
    if (!first && content == written_ && now - written_at_ < kInterval) return;
    if (first) warn_of_a_namesake(self);
    written_ = std::move(content);
    written_at_ = now;
  }
  self.heartbeat = now;
  write(self, [](const Result<log::Written>& written) {
    if (!written) kLog.debug("heartbeat not written", {{"error", written.error()}});
  });
  forget_the_dead(now);
}

void Registry::say_goodbye(NodeRow self) {
  self.heartbeat = clock_.now();
  self.interval = kInterval;
  self.ended = true;
  self.owned.clear();
  const auto written =
      await_log([&](log::WriteDone done) { write(self, std::move(done)); }, kGoodbyePatience);
  if (!written) kLog.debug("goodbye not written", {{"error", written.error()}});
}

void Registry::write(const NodeRow& row, log::WriteDone done) {
  std::vector<log::TableChange> changes;
  changes.push_back({{Topic::kNodes, 0}, key_of(row), Rope(Bytes::adopt(encode(row)))});
  table_->change(std::move(changes), std::move(done));
}

void Registry::warn_of_a_namesake(const NodeRow& self) {
  const auto value = table_->local().get(key_of(self));
  if (!value || !*value) return;
  const auto other = decode(**value);
  if (!other || other->pid == self.pid || !other->alive(clock_.now())) return;
  kLog.warning("another process with this node name was there a moment ago",
               {{"node", self.node}, {"admin", other->admin}, {"pid", other->pid}});
}

void Registry::forget_the_dead(Timestamp now) {
  std::vector<log::TableChange> changes;
  const auto look = [&](std::string_view key, std::string_view value) {
    const auto row = decode(value);
    if (row && now - row->heartbeat > kForgottenAfter)
      changes.push_back({{Topic::kNodes, 0}, std::string(key), std::nullopt});
    return true;
  };
  if (!table_->local().scan({}, {}, look) || changes.empty()) return;
  table_->change(std::move(changes), [](const Result<log::Written>&) {});
}

Result<std::vector<std::string>> Registry::evict(const std::string& node) {
  TRY(const auto nodes, this->nodes());
  const Timestamp now = clock_.now();
  std::vector<log::TableChange> rows;
  for (const NodeRow& row : nodes) {
    if (row.node != node) continue;
    if (row.alive(now)) {
      const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - row.heartbeat);
      return fail(Errc::kRefused,
                  fmt::format("{} is alive: its last heartbeat is {} s old; `ctl drain --leave` "
                              "there, or wait until it is silent",
                              node, age.count()));
    }
    rows.push_back({{Topic::kNodes, 0}, key_of(row), std::nullopt});
  }
  std::vector<std::string> evicted;
  for (const auto& [group, topics] : groups_of(nodes)) {
    const auto member = log_.evict(group, node);
    if (!member && member.error().code == log::Errc::kUnsupported)
      return fail(Errc::kUnsupported, member.error().context);
    TRY(const bool was, member);
    if (was) evicted.push_back(group);
  }
  if (rows.empty() && evicted.empty())
    return fail(Errc::kInvalid, "no node " + node + " is known, and no group has one as a member");
  if (!rows.empty()) {
    TRY_VOID(
        await_log([&](log::WriteDone done) { table_->change(std::move(rows), std::move(done)); },
                  kGoodbyePatience));
  }
  return evicted;
}

std::optional<NodeRow> Registry::namesake(const NodeRow& self,
                                          std::chrono::milliseconds patience) const {
  constexpr std::chrono::milliseconds kLookAgain{10};
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!table_->caught_up() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(kLookAgain);
  const auto value = table_->local().get(key_of(self));
  if (!value || !*value) return std::nullopt;
  auto row = decode(**value);
  if (!row || !row->alive(clock_.now())) return std::nullopt;
  return row;
}

Result<std::vector<NodeRow>> Registry::nodes() const {
  std::vector<NodeRow> nodes;
  TRY_VOID(table_->local().scan({}, {}, [&](std::string_view, std::string_view value) {
    if (auto row = decode(value)) nodes.push_back(*std::move(row));
    return true;
  }));
  return nodes;
}

Result<std::vector<TopicRow>> Registry::topics() const {
  TRY(const auto nodes, this->nodes());
  const Groups groups = groups_of(nodes);
  std::vector<TopicRow> rows;
  for (int number = 1; number <= log::kTopicMax; ++number) {
    const auto topic = static_cast<Topic>(number);
    TopicRow row{.name = std::string(log::topic_name(topic)),
                 .table = log::is_table(topic),
                 .partitions = log_.partitions(topic)};
    for (log::PartitionId partition = 0; !row.table && partition < row.partitions; ++partition)
      row.end += log_.end({topic, partition});
    for (const auto& [group, topics] : groups) {
      if (std::ranges::find(topics, topic) != topics.end()) row.groups.push_back(group);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<LagRow>> Registry::lag() const {
  TRY(const auto nodes, this->nodes());
  const Timestamp now = clock_.now();
  std::map<std::pair<std::string, log::PartitionId>, std::string> owners;
  for (const NodeRow& node : nodes) {
    if (!node.alive(now)) continue;
    for (const Owned& owned : node.owned) {
      for (const log::PartitionId partition : owned.partitions)
        owners[{owned.group, partition}] = node.node;
    }
  }
  const auto until = std::chrono::steady_clock::now() + kOldestPatience;
  std::vector<LagRow> rows;
  for (const auto& [group, topics] : groups_of(nodes)) {
    for (const Topic topic : topics) {
      for (log::PartitionId partition = 0; partition < log_.partitions(topic); ++partition) {
        const log::TopicPartition where{topic, partition};
        LagRow row{.group = group,
                   .topic = std::string(log::topic_name(topic)),
                   .partition = partition,
                   .owner = owners[{group, partition}]};
        TRY(row.committed, log_.committed(group, where));
        row.end = std::max(row.committed, log_.end(where));
        if (row.end > row.committed) row.oldest = time_of(log_, where, row.committed, until);
        rows.push_back(std::move(row));
      }
    }
  }
  return rows;
}

}  // namespace godwit::admin
