#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "common/log/log.h"

namespace godwit::log {

// A log that is another one: for those that change a function or two of it.
// Borrows the log, which outlives it. Threads: as the log.
class ForwardingLog : public Log {
 public:
  explicit ForwardingLog(Log& log) : log_(log) {}

  [[nodiscard]] PartitionId partitions(Topic topic) const override {
    return log_.partitions(topic);
  }
  [[nodiscard]] std::unique_ptr<Producer> producer() override { return log_.producer(); }
  [[nodiscard]] Result<std::unique_ptr<Group>> join(
      GroupSpec spec, std::shared_ptr<GroupListener> listener) override {
    return log_.join(std::move(spec), std::move(listener));
  }
  [[nodiscard]] Result<std::unique_ptr<Reader>> read_from(TopicPartition where,
                                                          Offset from) override {
    return log_.read_from(where, from);
  }
  [[nodiscard]] Result<std::unique_ptr<SharedTable>> shared_table(Topic topic) override {
    return log_.shared_table(topic);
  }
  [[nodiscard]] bool reads_by_position() const override { return log_.reads_by_position(); }
  void read_at(RecordPosition position, ReadDone done) override {
    log_.read_at(position, std::move(done));
  }
  [[nodiscard]] Result<void> history(Topic topic, Timestamp since,
                                     const VisitHistory& visit) override {
    return log_.history(topic, since, visit);
  }
  [[nodiscard]] Result<Offset> committed(std::string_view group, TopicPartition where) override {
    return log_.committed(group, where);
  }
  [[nodiscard]] Offset end(TopicPartition where) const override { return log_.end(where); }
  [[nodiscard]] Status status() const override { return log_.status(); }
  void leave_on_stop() override { log_.leave_on_stop(); }
  [[nodiscard]] Result<bool> evict(std::string_view group, std::string_view node) override {
    return log_.evict(group, node);
  }
  void close() override { log_.close(); }

 private:
  Log& log_;
};

}  // namespace godwit::log
