#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/log/log.h"
#include "tests/simulation/group_member.h"
#include "tests/simulation/process.h"

namespace godwit::simulation {

// The log of one process: common/log's interface on the simulated brokers, as common/log/kafka is on real ones.
class SimulatedLog final : public log::Log {
 public:
  explicit SimulatedLog(Process& process) : process_(process) {}

  // The process ends in order. `finished`: its groups have nothing under way any more.
  void finish(bool leave, std::function<void()> finished);

  [[nodiscard]] log::PartitionId partitions(log::Topic topic) const override {
    return process_.cluster.brokers.partitions(topic);
  }
  [[nodiscard]] std::unique_ptr<log::Producer> producer() override;
  [[nodiscard]] Result<std::unique_ptr<log::Group>> join(
      log::GroupSpec spec, std::shared_ptr<log::GroupListener> listener) override;
  [[nodiscard]] Result<std::unique_ptr<log::Reader>> read_from(log::TopicPartition where,
                                                               log::Offset from) override;
  [[nodiscard]] Result<std::unique_ptr<log::SharedTable>> shared_table(log::Topic topic) override;
  [[nodiscard]] bool reads_by_position() const override { return false; }
  void read_at(log::RecordPosition position, log::ReadDone done) override;
  [[nodiscard]] Result<void> history(log::Topic topic, Timestamp since,
                                     const log::VisitHistory& visit) override;
  [[nodiscard]] Result<log::Offset> committed(std::string_view group,
                                              log::TopicPartition where) override;
  [[nodiscard]] log::Offset end(log::TopicPartition where) const override {
    return process_.cluster.brokers.high_watermark(where);
  }
  [[nodiscard]] log::Status status() const override {
    return {.writable = true, .problem = {}, .bytes_free = 1ull << 40};
  }
  void close() override {}

 private:
  Process& process_;
  std::map<std::string, std::unique_ptr<GroupMember>> members_;
};

}  // namespace godwit::simulation
