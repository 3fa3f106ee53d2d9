#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/admin/types.h"
#include "common/admin/watched_log.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::admin {

// A process as it last said of itself (godwit/v1/node.proto).
struct NodeRow {
  std::string node;
  std::string software;
  std::vector<RoleInfo> roles;
  std::string admin;
  std::string observe;
  Timestamp started;
  Timestamp heartbeat;
  std::chrono::milliseconds interval{};
  std::uint32_t pid = 0;
  bool draining = false;
  bool ended = false;
  std::vector<Owned> owned;

  // "up", "draining", "ended", or "silent": three heartbeats and more did not come.
  [[nodiscard]] std::string_view state(Timestamp now) const;
  [[nodiscard]] bool alive(Timestamp now) const;
};

struct TopicRow {
  std::string name;
  bool table = false;
  log::PartitionId partitions = 0;
  log::Offset end = 0;              // sum over the partitions; of a topic
  std::vector<std::string> groups;  // that read it
};

struct LagRow {
  std::string group;
  std::string topic;
  log::PartitionId partition = 0;
  std::string owner;  // node; empty: nobody who is alive says so
  log::Offset committed = 0;
  log::Offset end = 0;
  Timestamp
      oldest;  // when the log took the oldest record that is not finished; epoch: none, or not told in time
};

// The table `nodes`: this process's row in it, and what the rows of all together say of the cluster.
//
// Heartbeat   beat() is called every second or so; it writes when kInterval has passed or something changed.
//             Never blocks; a write that fails is tried again with the next. While the log takes no mail
//             nothing is written
// Dead nodes  a row that is not renewed is shown as silent, with its age, and removed after kForgottenAfter by
//             whoever beats. Clocks of the nodes are compared: they should agree to some seconds
// Name        the row's key is node and roles: a process that starts again takes over its row. Two that have the same
//             name are told so in the log
// Borrows     log and clock
// Threads     any
class Registry {
 public:
  static constexpr std::chrono::seconds kInterval{10};
  static constexpr std::chrono::hours kForgottenAfter{24};

  // Errors: those of Log::shared_table.
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(log::Log& log, const Clock& clock);

  // `self`: node, roles, ..., as they are now; heartbeat and interval are filled in.
  void beat(NodeRow self);
  // The last row of this process; waits for it, kGoodbyePatience at most.
  void say_goodbye(NodeRow self);

  // Puts a node that is gone out of the groups it was a member of: others get its partitions at once, not when its
  // session ends. Its rows go. Output: those groups. Blocks for seconds. Errors: kRefused (its heartbeat is fresh),
  // kInvalid (nobody knows it), kUnsupported (nobody shares this log), those of the log.
  [[nodiscard]] Result<std::vector<std::string>> evict(const std::string& node);
  // A living process that has written the row which is to be this one's; waits until the table is read, at most
  // `patience`.
  [[nodiscard]] std::optional<NodeRow> namesake(const NodeRow& self,
                                                std::chrono::milliseconds patience) const;

  // By name.
  [[nodiscard]] Result<std::vector<NodeRow>> nodes() const;
  [[nodiscard]] Result<std::vector<TopicRow>> topics() const;
  // A row for each group, topic and partition, those without lag too. Blocks: asks for the oldest record of
  // each that lags, kOldestPatience in all.
  [[nodiscard]] Result<std::vector<LagRow>> lag() const;

 private:
  Registry(log::Log& log, const Clock& clock, std::unique_ptr<log::SharedTable> table)
      : log_(log), clock_(clock), table_(std::move(table)) {}
  void write(const NodeRow& row, log::WriteDone done);
  void forget_the_dead(Timestamp now);
  void warn_of_a_namesake(const NodeRow& self);

  log::Log& log_;
  const Clock& clock_;
  const std::unique_ptr<log::SharedTable> table_;
  std::mutex mutex_;  // of the two below
  Timestamp written_at_;
  std::string written_;  // without the times
};

}  // namespace godwit::admin
