#pragma once

#include <map>
#include <memory>
#include <optional>

#include "common/log/log.h"
#include "tests/simulation/process.h"

namespace godwit::simulation {

class TransactionLane;

// A partition that a process owns, until end(): afterwards commits are kFenced and readers kClosed.
class OwnedPartition final : public log::Ownership,
                             public std::enable_shared_from_this<OwnedPartition> {
 public:
  // How long a silent owner may count on it: less than Coordinator::kSession.
  static constexpr std::chrono::milliseconds kLease = std::chrono::seconds(15);

  OwnedPartition(Process& process, TransactionLane& lane, const log::GroupSpec& spec,
                 log::PartitionId partition, std::uint64_t generation,
                 std::map<log::Topic, log::Offset> positions);
  ~OwnedPartition() override;

  [[nodiscard]] log::PartitionId partition() const override { return partition_; }
  [[nodiscard]] log::Reader& reader(log::Topic topic) override;
  [[nodiscard]] log::Table& table(log::Topic topic) override { return *tables_.at(topic); }
  [[nodiscard]] log::Offset committed(log::Topic topic) const override;
  void commit(log::Batch batch, log::WriteDone done) override;
  [[nodiscard]] std::size_t batch_bytes_max() const override { return 1u << 20; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> lease() const override { return kLease; }
  [[nodiscard]] std::uint64_t generation() const override { return generation_; }

  // True for whoever ended it.
  bool end();
  [[nodiscard]] bool ended() const { return ended_; }
  void advance(const log::PositionChange& change) { positions_[change.where.topic] = change.next; }
  // Written with each transaction, changed or not: what names no position is not fenced.
  [[nodiscard]] log::PositionChange position() const;

 private:
  class PartitionReader;

  Process& process_;
  TransactionLane& lane_;
  const log::PartitionId partition_;
  const log::Topic subscribed_;
  const std::uint64_t generation_;
  bool ended_ = false;
  std::map<log::Topic, log::Offset> positions_;
  std::map<log::Topic, std::unique_ptr<PartitionReader>> readers_;
  std::map<log::Topic, std::unique_ptr<log::Table>> tables_;
};

}  // namespace godwit::simulation
