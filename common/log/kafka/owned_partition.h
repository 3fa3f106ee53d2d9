#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "common/log/kafka/record_buffer.h"
#include "common/log/log.h"

namespace godwit::log {

class TransactionLane;

// What one commit may come to: what a transaction of a few hundred milliseconds carries.
inline constexpr std::size_t kKafkaBatchBytesMax = 32u << 20;

// A partition that this process owns, until end(). After it commits are kFenced and readers kClosed; tables can be
// read for as long as the object lives.
//
// Threads  any
class OwnedPartition final : public Ownership, public std::enable_shared_from_this<OwnedPartition> {
 public:
  struct Taken {
    PartitionId partition = 0;
    std::uint64_t generation = 0;
    std::map<Topic, Offset> positions;  // of each topic that is read
    Instant at;                         // not later than the positions were asked for
  };
  OwnedPartition(Taken taken, std::chrono::milliseconds lease,
                 std::shared_ptr<TransactionLane> lane);

  // While it is being made.
  void add_reader(Topic topic, std::shared_ptr<RecordBuffer> buffer);
  void add_table(Topic topic, std::unique_ptr<Table> table);

  [[nodiscard]] PartitionId partition() const override { return partition_; }
  [[nodiscard]] Reader& reader(Topic topic) override;
  [[nodiscard]] Table& table(Topic topic) override;
  [[nodiscard]] Offset committed(Topic topic) const override;
  void commit(Batch batch, WriteDone done) override;
  [[nodiscard]] std::size_t batch_bytes_max() const override { return kKafkaBatchBytesMax; }
  [[nodiscard]] bool gathers_commits() const override { return true; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> lease() const override { return lease_; }
  [[nodiscard]] std::uint64_t generation() const override { return generation_; }

  // True for whoever ended it.
  bool end();
  [[nodiscard]] bool ended() const { return ended_; }
  // A transaction with these positions, sent at `sent`, was acknowledged.
  void advance(std::span<const PositionChange> changes, Instant sent);
  // Of every topic that is read, with `changes` made: what a transaction of this partition commits,
  // changed or not. What names no position is not fenced, and positions of topics that nobody
  // subscribes to are forgotten by the brokers when they are not written again.
  [[nodiscard]] std::vector<PositionChange> positions(
      std::span<const PositionChange> changes) const;
  // When the newest transaction that was acknowledged was sent.
  [[nodiscard]] Instant acknowledged() const;
  // When the log took the oldest record that is not finished, as far as it was read; nullopt: none.
  [[nodiscard]] std::optional<Timestamp> oldest_unfinished(Topic topic) const;

 private:
  const PartitionId partition_;
  const std::uint64_t generation_;
  const std::chrono::milliseconds lease_;
  const std::shared_ptr<TransactionLane> lane_;
  std::atomic<bool> ended_{false};
  mutable std::mutex mutex_;
  std::map<Topic, Offset> positions_;
  Instant acknowledged_;
  std::map<Topic, std::shared_ptr<RecordBuffer>> buffers_;
  std::map<Topic, std::unique_ptr<Reader>> readers_;
  std::map<Topic, std::unique_ptr<Table>> tables_;
};

}  // namespace godwit::log
