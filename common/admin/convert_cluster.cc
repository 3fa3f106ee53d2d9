#include <utility>

#include "common/admin/convert.h"
#include "common/base/check.h"
#include "common/log/types.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

std::string_view what_name(v1::ControlResponse::Change::What what) {
  switch (what) {
    case v1::ControlResponse::Change::ADDED: return "added";
    case v1::ControlResponse::Change::CHANGED: return "changed";
    case v1::ControlResponse::Change::REMOVED: return "removed";
    default: return "unknown";
  }
}

template <class Strings>
std::vector<std::string> strings(const Strings& from) {
  return {from.begin(), from.end()};
}

}  // namespace

void to_message(const DeadDetails& details, v1::DeadShowResponse& message) {
  v1::DeadListResponse one;
  accounting::DeadList list;
  list.rows.push_back(details.row);
  to_message(list, one);
  *message.mutable_row() = one.rows(0);
  message.set_message_id(details.message_id);
  message.set_sender(details.sender);
  for (const std::string& recipient : details.recipients) message.add_recipients(recipient);
  message.set_head(details.head);
  message.set_parts(details.parts);
}

DeadDetails from_message(const v1::DeadShowResponse& message) {
  v1::DeadListResponse one;
  *one.add_rows() = message.row();
  return {.row = from_message(one).rows.front(),
          .message_id = message.message_id(),
          .sender = message.sender(),
          .recipients = strings(message.recipients()),
          .head = message.head(),
          .parts = message.parts()};
}

void to_message(const control::Applied& applied, v1::ControlResponse& message) {
  for (const control::ObjectChange& change : applied.plan.changes) {
    auto& into = *message.add_changes();
    into.set_what(static_cast<v1::ControlResponse::Change::What>(change.what));
    into.set_kind(std::string(control::kind_name(change.object.kind)));
    into.set_name(change.object.name);
    for (const std::string& detail : change.details) into.add_details(detail);
  }
  for (const control::ObjectName& object : applied.plan.left) message.add_left(object.to_text());
  message.set_version(applied.version);
  message.set_batch(applied.batch);
  for (const config::Problem& notice : applied.plan.notices)
    message.add_notices(notice.to_string());
  for (const std::string& warning : applied.warnings) message.add_notices(warning);
}

ControlAnswer from_message(const v1::ControlResponse& message) {
  ControlAnswer answer{.left = strings(message.left()),
                       .version = message.version(),
                       .batch = message.batch(),
                       .notices = strings(message.notices())};
  for (const auto& change : message.changes()) {
    answer.changes.push_back({.what = std::string(what_name(change.what())),
                              .kind = change.kind(),
                              .name = change.name(),
                              .details = strings(change.details())});
  }
  return answer;
}

void to_message(const std::vector<NodeRow>& nodes, Timestamp now, v1::NodesResponse& message) {
  for (const NodeRow& node : nodes) {
    auto& into = *message.add_nodes();
    into.set_node(node.node);
    into.set_software(node.software);
    for (const RoleInfo& role : node.roles) {
      auto& info = *into.add_roles();
      info.set_name(role.name);
      info.set_problem(role.problem);
    }
    into.set_admin(node.admin);
    into.set_observe(node.observe);
    into.set_started_unix_ms(to_unix_ms(node.started));
    into.set_heartbeat_unix_ms(to_unix_ms(node.heartbeat));
    into.set_pid(node.pid);
    into.set_state(std::string(node.state(now)));
    for (const Owned& owned : node.owned) {
      auto& group = *into.add_owned();
      group.set_group(owned.group);
      for (const log::PartitionId partition : owned.partitions) group.add_partitions(partition);
    }
  }
}

std::vector<NodeAnswer> from_message(const v1::NodesResponse& message) {
  std::vector<NodeAnswer> nodes;
  for (const auto& node : message.nodes()) {
    NodeAnswer answer{.node = node.node(),
                      .software = node.software(),
                      .admin = node.admin(),
                      .observe = node.observe(),
                      .started = from_unix_ms(node.started_unix_ms()),
                      .heartbeat = from_unix_ms(node.heartbeat_unix_ms()),
                      .pid = node.pid(),
                      .state = node.state()};
    for (const auto& role : node.roles()) answer.roles.push_back({role.name(), role.problem()});
    for (const auto& owned : node.owned()) {
      answer.owned.push_back(
          {owned.group(), {owned.partitions().begin(), owned.partitions().end()}});
    }
    nodes.push_back(std::move(answer));
  }
  return nodes;
}

void to_message(const std::vector<TopicRow>& topics, v1::TopicsResponse& message) {
  for (const TopicRow& topic : topics) {
    auto& into = *message.add_topics();
    into.set_name(topic.name);
    into.set_table(topic.table);
    into.set_partitions(topic.partitions);
    into.set_end(topic.end);
    for (const std::string& group : topic.groups) into.add_groups(group);
  }
}

std::vector<TopicRow> from_message(const v1::TopicsResponse& message) {
  std::vector<TopicRow> topics;
  for (const auto& topic : message.topics()) {
    topics.push_back({.name = topic.name(),
                      .table = topic.table(),
                      .partitions = topic.partitions(),
                      .end = topic.end(),
                      .groups = strings(topic.groups())});
  }
  return topics;
}

void to_message(const std::vector<LagRow>& rows, v1::LagResponse& message) {
  for (const LagRow& row : rows) {
    auto& into = *message.add_rows();
    into.set_group(row.group);
    into.set_topic(row.topic);
    into.set_partition(row.partition);
    into.set_owner(row.owner);
    into.set_committed(row.committed);
    into.set_end(row.end);
    into.set_oldest_unix_ms(to_unix_ms(row.oldest));
  }
}

std::vector<LagRow> from_message(const v1::LagResponse& message) {
  std::vector<LagRow> rows;
  for (const auto& row : message.rows()) {
    rows.push_back({.group = row.group(),
                    .topic = row.topic(),
                    .partition = row.partition(),
                    .owner = row.owner(),
                    .committed = row.committed(),
                    .end = row.end(),
                    .oldest = from_unix_ms(row.oldest_unix_ms())});
  }
  return rows;
}

void to_message(const AuditLog& found, v1::AuditLogResponse& message) {
  message.set_total(found.total);
  for (const AuditEntry& entry : found.entries) {
    auto& into = *message.add_entries();
    into.set_time_unix_ms(to_unix_ms(entry.time));
    into.set_actor(entry.actor);
    into.set_client(entry.client);
    into.set_reason(entry.reason);
    into.set_node(entry.node);
    into.set_action(entry.action);
    into.set_subject(entry.subject);
    for (const std::string& change : entry.changes) into.add_changes(change);
    into.set_failure(entry.failure);
  }
}

AuditLog from_message(const v1::AuditLogResponse& message) {
  AuditLog found{.total = message.total()};
  for (const auto& entry : message.entries()) {
    found.entries.push_back({.time = from_unix_ms(entry.time_unix_ms()),
                             .actor = entry.actor(),
                             .client = entry.client(),
                             .node = entry.node(),
                             .action = entry.action(),
                             .subject = entry.subject(),
                             .changes = strings(entry.changes()),
                             .reason = entry.reason(),
                             .failure = entry.failure()});
  }
  return found;
}

}  // namespace godwit::admin
