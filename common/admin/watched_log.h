#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/log/log.h"

namespace godwit::admin {

// What this process has of one group.
struct Owned {
  std::string group;
  std::vector<log::Topic> topics;  // the one that is shared out first, then those that follow it
  std::set<log::PartitionId> partitions;
  bool operator==(const Owned&) const = default;
};

// The log as the roles see it, watched: which partitions of which groups are here. Everything else is the log's.
// Borrows the log, which outlives it. Threads: as the log.
class WatchedLog final : public log::Log {
 public:
  explicit WatchedLog(log::Log& log) : log_(log), state_(std::make_shared<State>()) {}

  [[nodiscard]] std::vector<Owned> owned() const;

  [[nodiscard]] log::PartitionId partitions(log::Topic topic) const override {
    return log_.partitions(topic);
  }
  [[nodiscard]] std::unique_ptr<log::Producer> producer() override { return log_.producer(); }
  [[nodiscard]] Result<std::unique_ptr<log::Group>> join(
      log::GroupSpec spec, std::shared_ptr<log::GroupListener> listener) override;
  [[nodiscard]] Result<std::unique_ptr<log::Reader>> read_from(log::TopicPartition where,
                                                               log::Offset from) override {
    return log_.read_from(where, from);
  }
  [[nodiscard]] Result<std::unique_ptr<log::SharedTable>> shared_table(log::Topic topic) override {
    return log_.shared_table(topic);
  }
  [[nodiscard]] bool reads_by_position() const override { return log_.reads_by_position(); }
  void read_at(log::RecordPosition position, log::ReadDone done) override {
    log_.read_at(position, std::move(done));
  }
  [[nodiscard]] Result<void> history(log::Topic topic, Timestamp since,
                                     const log::VisitHistory& visit) override {
    return log_.history(topic, since, visit);
  }
  [[nodiscard]] Result<log::Offset> committed(std::string_view group,
                                              log::TopicPartition where) override {
    return log_.committed(group, where);
  }
  [[nodiscard]] log::Offset end(log::TopicPartition where) const override {
    return log_.end(where);
  }
  [[nodiscard]] log::Status status() const override { return log_.status(); }
  void leave_on_stop() override { log_.leave_on_stop(); }
  [[nodiscard]] Result<bool> evict(std::string_view group, std::string_view node) override {
    return log_.evict(group, node);
  }
  void close() override { log_.close(); }

 private:
  struct State {
    std::mutex mutex;
    std::vector<Owned> owned;  // one a group
  };
  class Listener;
  log::Log& log_;
  const std::shared_ptr<State> state_;
};

}  // namespace godwit::admin
