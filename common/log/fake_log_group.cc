#include "common/log/fake_log_group.h"

#include <utility>

#include "common/base/check.h"
#include "common/log/fake_log_reader.h"
#include "common/log/fake_log_table.h"

namespace godwit::log::fake {

Reader& FakeOwnership::reader(Topic topic) {
  const std::lock_guard lock(state_->mutex);
  auto& reader = readers_[topic];
  if (!reader) {
    reader = std::make_unique<FakeReader>(state_, TopicPartition{topic, partition_},
                                          position_locked(topic));
  }
  return *reader;
}

Table& FakeOwnership::table(Topic topic) {
  const std::lock_guard lock(state_->mutex);
  auto& table = tables_[topic];
  if (!table) table = std::make_unique<FakeTable>(state_, TopicPartition{topic, partition_});
  return *table;
}

Offset FakeOwnership::committed(Topic topic) const {
  const std::lock_guard lock(state_->mutex);
  return position_locked(topic);
}

Offset FakeOwnership::position_locked(Topic topic) const {
  const auto found = state_->positions.find({group_, {topic, partition_}});
  return found == state_->positions.end() ? 0 : found->second;
}

std::optional<std::chrono::milliseconds> FakeOwnership::lease() const {
  const std::lock_guard lock(state_->mutex);
  return state_->lease;
}

void FakeOwnership::commit(Batch batch, WriteDone done) {
  for (const PositionChange& change : batch.positions) {
    CHECK(change.where.partition == partition_, "position of partition {}", change.where.partition);
  }
  if (ended()) return done(fail(Errc::kFenced, group_));
  std::size_t bytes = 0;
  for (const Append& append : batch.appends) bytes += bytes_in_batch(append);
  for (const TableChange& change : batch.changes) bytes += bytes_in_batch(change);
  if (bytes > batch_bytes_max()) return done(fail(Errc::kTooLarge, group_));
  Write write;
  write.batch = std::move(batch);
  write.group = group_;
  write.owner = weak_from_this();
  write.done = std::move(done);
  state_->submit(std::move(write));
}

std::size_t FakeOwnership::batch_bytes_max() const {
  const std::lock_guard lock(state_->mutex);
  return state_->batch_bytes_max;
}

bool FakeOwnership::ended() const {
  const std::lock_guard lock(state_->mutex);
  return ended_;
}

void FakeGroup::stop(std::chrono::milliseconds) {
  std::map<PartitionId, std::shared_ptr<FakeOwnership>> owned;
  {
    const std::lock_guard lock(state_->mutex);
    owned.swap(group_->owned);
    const auto found = state_->groups.find(group_->spec.name);
    if (found != state_->groups.end() && found->second == group_) state_->groups.erase(found);
  }
  for (auto& [partition, ownership] : owned) {
    group_->listener->revoked(partition, [] {});
    const std::lock_guard lock(state_->mutex);
    ownership->end_locked();
  }
}

}  // namespace godwit::log::fake
