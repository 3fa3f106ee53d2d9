#include "common/log/kafka/owned_partition.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/kafka/appender.h"
#include "common/log/kafka/transaction_lane.h"

namespace godwit::log {

OwnedPartition::OwnedPartition(Taken taken, std::chrono::milliseconds lease,
                               std::shared_ptr<TransactionLane> lane)
    : partition_(taken.partition),
      generation_(taken.generation),
      lease_(lease),
      lane_(std::move(lane)),
      positions_(std::move(taken.positions)),
      acknowledged_(taken.at) {}

void OwnedPartition::add_reader(Topic topic, std::shared_ptr<RecordBuffer> buffer) {
  readers_[topic] = std::make_unique<BufferedReader>(buffer, nullptr);
  buffers_[topic] = std::move(buffer);
}

void OwnedPartition::add_table(Topic topic, std::unique_ptr<Table> table) {
  tables_[topic] = std::move(table);
}

Reader& OwnedPartition::reader(Topic topic) {
  const auto found = readers_.find(topic);
  CHECK(found != readers_.end(), "the group does not read {}", topic_name(topic));
  return *found->second;
}

Table& OwnedPartition::table(Topic topic) {
  const auto found = tables_.find(topic);
  CHECK(found != tables_.end(), "the group does not keep {}", topic_name(topic));
  return *found->second;
}

Offset OwnedPartition::committed(Topic topic) const {
  const std::lock_guard lock(mutex_);
  const auto found = positions_.find(topic);
  return found == positions_.end() ? 0 : found->second;
}

std::vector<PositionChange> OwnedPartition::positions(
    std::span<const PositionChange> changes) const {
  std::vector<PositionChange> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [topic, position] : positions_) {
    Offset next = position;
    for (const PositionChange& change : changes) {
      if (change.where.topic == topic) next = change.next;
    }
    const auto buffer = buffers_.find(topic);
    if (buffer != buffers_.end()) next = buffer->second->past_markers(next);
    all.push_back({{topic, partition_}, next});
  }
  return all;
}

void OwnedPartition::advance(std::span<const PositionChange> changes, Instant sent) {
  const std::lock_guard lock(mutex_);
  for (const PositionChange& change : changes) positions_[change.where.topic] = change.next;
  acknowledged_ = std::max(acknowledged_, sent);
}

Instant OwnedPartition::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

std::optional<Timestamp> OwnedPartition::oldest_unfinished(Topic topic) const {
  const std::lock_guard lock(mutex_);
  const auto buffer = buffers_.find(topic);
  const auto position = positions_.find(topic);
  if (buffer == buffers_.end() || position == positions_.end()) return std::nullopt;
  return buffer->second->oldest_from(position->second);
}

void OwnedPartition::commit(Batch batch, WriteDone done) {
  for (const PositionChange& change : batch.positions) {
    CHECK(change.where.partition == partition_ && readers_.contains(change.where.topic),
          "a position of {} {}", topic_name(change.where.topic), change.where.partition);
  }
  if (ended_) return done(fail(Errc::kFenced, "the partition has another owner"));
  std::size_t bytes = 0;
  for (const Append& append : batch.appends) {
    if (auto error = too_large(append.key, append.value.size()))
      return done(fail(*std::move(error)));
    bytes += bytes_in_batch(append);
  }
  for (const TableChange& change : batch.changes) {
    CHECK(!is_partition_owned(change.where.topic) || change.where.partition == partition_,
          "a change of partition {}", change.where.partition);
    if (auto error = too_large(change.key, change.value ? change.value->size() : 0)) {
      return done(fail(*std::move(error)));
    }
    bytes += bytes_in_batch(change);
  }
  if (bytes > kKafkaBatchBytesMax) return done(fail(Errc::kTooLarge, "a commit"));
  lane_->commit(shared_from_this(), std::move(batch), bytes, std::move(done));
}

bool OwnedPartition::end() {
  if (ended_.exchange(true)) return false;
  for (const auto& [topic, buffer] : buffers_) buffer->close();
  return true;
}

}  // namespace godwit::log
