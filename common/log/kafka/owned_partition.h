#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

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
  OwnedPartition(PartitionId partition, Topic subscribed, std::shared_ptr<TransactionLane> lane,
                 std::map<Topic, Offset> positions);

  // While it is being made.
  void add_reader(Topic topic, std::shared_ptr<RecordBuffer> buffer);
  void add_table(Topic topic, std::unique_ptr<Table> table);

  [[nodiscard]] PartitionId partition() const override { return partition_; }
  [[nodiscard]] Reader& reader(Topic topic) override;
  [[nodiscard]] Table& table(Topic topic) override;
  [[nodiscard]] Offset committed(Topic topic) const override;
  void commit(Batch batch, WriteDone done) override;
  [[nodiscard]] std::size_t batch_bytes_max() const override { return kKafkaBatchBytesMax; }

  // True for whoever ended it.
  bool end();
  [[nodiscard]] bool ended() const { return ended_; }
  void advance(const PositionChange& change);
  // Written with each transaction, changed or not: what names no position is not fenced.
  [[nodiscard]] PositionChange position() const;

 private:
  const PartitionId partition_;
  const Topic subscribed_;
  const std::shared_ptr<TransactionLane> lane_;
  std::atomic<bool> ended_{false};
  mutable std::mutex mutex_;
  std::map<Topic, Offset> positions_;
  std::map<Topic, std::shared_ptr<RecordBuffer>> buffers_;
  std::map<Topic, std::unique_ptr<Reader>> readers_;
  std::map<Topic, std::unique_ptr<Table>> tables_;
};

}  // namespace godwit::log
