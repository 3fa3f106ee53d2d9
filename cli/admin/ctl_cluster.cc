#include "cli/admin/ctl_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>

#include "cli/admin/answer.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

constexpr auto kRight = Table::Align::kRight;

// "0-3,7"
std::string ranges(std::vector<std::uint32_t> numbers) {
  std::ranges::sort(numbers);
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!out.empty()) out += ',';
    out += last == i ? std::to_string(numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return out;
}

std::string roles_text(const operate::NodeAnswer& node) {
  std::string out;
  for (const operate::RoleInfo& role : node.roles) {
    if (!out.empty()) out += ' ';
    out += role.name;
    if (!role.problem.empty()) out += fmt::format("({})", role.problem);
  }
  return out;
}

std::string owned_text(const operate::NodeAnswer& node) {
  std::string out;
  for (const auto& owned : node.owned) {
    if (owned.partitions.empty()) continue;
    if (!out.empty()) out += ' ';
    out += fmt::format("{}:{}", owned.group, ranges(owned.partitions));
  }
  return out;
}

Json json_of(const operate::NodeAnswer& node) {
  Json json{{"node", node.node},
            {"state", node.state},
            {"version", node.software},
            {"roles", Json::array()},
            {"admin", node.admin},
            {"observe", node.observe},
            {"started", json_time(node.started)},
            {"heartbeat", json_time(node.heartbeat)},
            {"pid", node.pid},
            {"partitions", Json::object()}};
  for (const operate::RoleInfo& role : node.roles)
    json["roles"].push_back({{"name", role.name}, {"problem", role.problem}});
  for (const auto& owned : node.owned) json["partitions"][owned.group] = owned.partitions;
  return json;
}

}  // namespace

int ctl_nodes(const CtlOptions& options, const Target& target, const Clock& clock, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto nodes = client->nodes();
  if (!nodes) return could_not(nodes.error(), io);
  if (options.json) {
    Json json{{"nodes", Json::array()}};
    for (const auto& node : *nodes) json["nodes"].push_back(json_of(node));
    return say(json, io);
  }
  const Timestamp now = clock.now();
  Table table({{"NODE"},
               {"STATE"},
               {"HEARTBEAT", kRight},
               {"UP", kRight},
               {"VERSION"},
               {"ROLES"},
               {"ADMIN"},
               {"PARTITIONS"}});
  for (const auto& node : *nodes) {
    table.add({node.node, node.state, age_text(node.heartbeat, now), age_text(node.started, now),
               node.software, roles_text(node), node.admin, owned_text(node)});
  }
  io.out << table.to_string();
  return kDone;
}

int ctl_node_evict(const CtlOptions& options, const std::string& node, const Target& target,
                   Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto groups = client->evict(node, options.reason);
  if (!groups) return could_not(groups.error(), io);
  if (options.json) return say({{"node", node}, {"groups", *groups}}, io);
  if (groups->empty()) {
    io.out << fmt::format("{} was a member of no group any more\n", node);
  } else {
    io.out << fmt::format("{} is out of: {}\n", node, fmt::join(*groups, " "));
  }
  return kDone;
}

int ctl_topics(const CtlOptions& options, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto topics = client->topics();
  if (!topics) return could_not(topics.error(), io);
  if (options.json) {
    Json json{{"topics", Json::array()}};
    for (const auto& topic : *topics) {
      json["topics"].push_back({{"name", topic.name},
                                {"kind", topic.table ? "table" : "topic"},
                                {"partitions", topic.partitions},
                                {"records", topic.table ? Json() : Json(topic.end)},
                                {"groups", topic.groups}});
    }
    return say(json, io);
  }
  Table table({{"TOPIC"}, {"KIND"}, {"PARTITIONS", kRight}, {"RECORDS", kRight}, {"READ BY"}});
  for (const auto& topic : *topics) {
    table.add({topic.name, topic.table ? "table" : "topic", std::to_string(topic.partitions),
               topic.table ? "-" : std::to_string(topic.end),
               fmt::format("{}", fmt::join(topic.groups, " "))});
  }
  io.out << table.to_string();
  return kDone;
}

int ctl_lag(const CtlOptions& options, bool all, const Target& target, const Clock& clock, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  auto rows = client->lag();
  if (!rows) return could_not(rows.error(), io);
  std::map<std::pair<std::string, std::string>, std::pair<log::Offset, Timestamp>> sums;
  for (const auto& row : *rows) {
    auto& [lag, oldest] = sums[{row.group, row.topic}];
    lag += row.end - row.committed;
    if (row.oldest != Timestamp{} && (oldest == Timestamp{} || row.oldest < oldest))
      oldest = row.oldest;
  }
  if (!all) std::erase_if(*rows, [](const auto& row) { return row.end == row.committed; });
  if (options.json) {
    Json json{{"groups", Json::array()}, {"partitions", Json::array()}};
    for (const auto& [name, sum] : sums) {
      json["groups"].push_back({{"group", name.first},
                                {"topic", name.second},
                                {"lag", sum.first},
                                {"oldest", json_time(sum.second)}});
    }
    for (const auto& row : *rows) {
      json["partitions"].push_back({{"group", row.group},
                                    {"topic", row.topic},
                                    {"partition", row.partition},
                                    {"owner", row.owner},
                                    {"committed", row.committed},
                                    {"end", row.end},
                                    {"lag", row.end - row.committed},
                                    {"oldest", json_time(row.oldest)}});
    }
    return say(json, io);
  }
  const Timestamp now = clock.now();
  Table table({{"GROUP"},
               {"TOPIC"},
               {"PARTITION", kRight},
               {"OWNER"},
               {"COMMITTED", kRight},
               {"END", kRight},
               {"LAG", kRight},
               {"OLDEST", kRight}});
  for (const auto& [name, sum] : sums) {
    table.add({name.first, name.second, "all", "", "", "", std::to_string(sum.first),
               age_text(sum.second, now)});
  }
  for (const auto& row : *rows) {
    table.add({row.group, row.topic, std::to_string(row.partition),
               row.owner.empty() ? "nobody" : row.owner, std::to_string(row.committed),
               std::to_string(row.end), std::to_string(row.end - row.committed),
               age_text(row.oldest, now)});
  }
  io.out << table.to_string();
  return kDone;
}

int ctl_audit_log(const AuditLogOptions& options, const Target& target, const Clock& clock, Io io) {
  Timestamp since{};
  if (!options.since.empty()) {
    const auto parsed = parse_since(options.since, clock.now());
    if (!parsed) {
      io.err << fmt::format(
          "godwit ctl: --since {}: as in 2026-11-22T19:10:44Z, 2026-11-22, 20m or 5d\n",
          options.since);
      return kUsage;
    }
    since = *parsed;
  }
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto found = client->audit_log(since, options.rows_max);
  if (!found) return could_not(found.error(), io);
  if (options.json) {
    Json json{{"total", found->total}, {"entries", Json::array()}};
    for (const auto& entry : found->entries) {
      json["entries"].push_back({{"time", json_time(entry.time)},
                                 {"actor", entry.actor},
                                 {"client", entry.client},
                                 {"node", entry.node},
                                 {"action", entry.action},
                                 {"subject", entry.subject},
                                 {"changes", entry.changes},
                                 {"reason", entry.reason},
                                 {"failure", entry.failure}});
    }
    return say(json, io);
  }
  for (const auto& entry : found->entries) {
    io.out << fmt::format("{} {} {} {}", time_text(entry.time), entry.action,
                          text::printable(entry.subject, 200), text::printable(entry.actor, 200));
    io.out << (entry.client.empty() ? std::string("\n")
                                    : fmt::format(" ({})\n", text::printable(entry.client, 200)));
    if (!entry.reason.empty())
      io.out << fmt::format("    because: {}\n", text::printable(entry.reason, 1'000));
    for (const std::string& change : entry.changes)
      io.out << fmt::format("    {}\n", text::printable(change, 2'000));
    if (!entry.failure.empty())
      io.out << fmt::format("    failed: {}\n", text::printable(entry.failure, 2'000));
  }
  return kDone;
}

}  // namespace godwit::cli::admin
