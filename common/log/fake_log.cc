#include "common/log/fake_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "common/log/fake_log_group.h"
#include "common/log/fake_log_reader.h"
#include "common/log/fake_log_state.h"
#include "common/log/fake_log_table.h"

namespace godwit::log {
namespace {

class FakeProducer final : public Producer {
 public:
  explicit FakeProducer(std::shared_ptr<fake::State> state) : state_(std::move(state)) {}
  void append(std::vector<Append> records, WriteDone done) override {
    fake::Write write;
    write.batch.appends = std::move(records);
    write.done = std::move(done);
    state_->submit(std::move(write));
  }

 private:
  const std::shared_ptr<fake::State> state_;
};

}  // namespace

FakeLog::FakeLog(const Clock& clock, PartitionId partitions, bool reads_by_position)
    : state_(std::make_shared<fake::State>(clock, partitions, reads_by_position)) {}

FakeLog::~FakeLog() = default;

void FakeLog::hold() {
  const std::lock_guard lock(state_->mutex);
  state_->held = true;
}

void FakeLog::sync() {
  fake::Calls calls;
  {
    const std::lock_guard lock(state_->mutex);
    state_->complete_all(calls);
  }
  fake::run(std::move(calls));
}

void FakeLog::release() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->held = false;
  }
  sync();
}

void FakeLog::fail_next(std::error_code code) {
  CHECK(code != Errc::kUnknown, "that is unknown_next()");
  const std::lock_guard lock(state_->mutex);
  state_->scripted.push_back({code, false});
}

void FakeLog::unknown_next(bool written) {
  const std::lock_guard lock(state_->mutex);
  state_->scripted.push_back({Errc::kUnknown, written});
}

void FakeLog::crash() {
  const std::lock_guard lock(state_->mutex);
  for (auto& [where, partition] : state_->partitions) {
    while (!partition.records.empty() && !partition.records.back().synced)
      partition.records.pop_back();
    partition.settled = std::min(partition.settled, partition.records.size());
  }
  state_->waiting.clear();
  state_->scripted.clear();
  state_->watches.clear();
  for (auto& [name, group] : state_->groups) {
    for (auto& [partition, ownership] : group->owned) ownership->end_locked();
    group->owned.clear();
  }
  state_->groups.clear();
  ++state_->life;
}

void FakeLog::trim(TopicPartition where, Offset offset) {
  const std::lock_guard lock(state_->mutex);
  fake::Partition& partition = state_->partitions[where];
  while (partition.start < offset && !partition.records.empty()) {
    partition.records.erase(partition.records.begin());
    if (partition.settled > 0) --partition.settled;
    ++partition.start;
  }
}

void FakeLog::interleave(Topic topic) {
  const std::lock_guard lock(state_->mutex);
  state_->interleaved.insert(topic);
}

void FakeLog::corrupt(RecordPosition position) {
  const std::lock_guard lock(state_->mutex);
  fake::Partition& partition = state_->partitions[position.where];
  CHECK(partition.at(position.offset) != nullptr, "no record {}", position.offset);
  partition.records[static_cast<std::size_t>(position.offset - partition.start)].corrupt = true;
}

void FakeLog::assign(const std::string& name, PartitionId partition) {
  std::shared_ptr<fake::GroupState> group;
  std::shared_ptr<fake::FakeOwnership> ownership;
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->groups.find(name);
    CHECK(found != state_->groups.end(), "no group {}", name);
    group = found->second;
    CHECK(!group->owned.contains(partition), "partition {} is assigned", partition);
    ownership = std::make_shared<fake::FakeOwnership>(state_, name, partition);
    group->owned[partition] = ownership;
  }
  group->listener->assigned(std::move(ownership));
}

void FakeLog::revoke(const std::string& name, PartitionId partition) {
  std::shared_ptr<fake::GroupState> group;
  std::shared_ptr<fake::FakeOwnership> ownership;
  {
    const std::lock_guard lock(state_->mutex);
    group = state_->groups.at(name);
    ownership = group->owned.at(partition);
  }
  group->listener->revoked(partition, [state = state_, group, ownership] {
    const std::lock_guard lock(state->mutex);
    ownership->end_locked();
    group->owned.erase(ownership->partition());
  });
}

void FakeLog::lose(const std::string& name, PartitionId partition) {
  std::shared_ptr<fake::GroupState> group;
  {
    const std::lock_guard lock(state_->mutex);
    group = state_->groups.at(name);
    group->owned.at(partition)->end_locked();
    group->owned.erase(partition);
  }
  group->listener->lost(partition);
}

std::vector<Record> FakeLog::records(TopicPartition where) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Record> all;
  for (const fake::Partition::Stored& stored : state_->partitions[where].records)
    all.push_back(stored.record);
  return all;
}

std::vector<Record> FakeLog::records(Topic topic) const {
  std::vector<Record> all;
  for (PartitionId partition = 0; partition < partitions(topic); ++partition) {
    std::ranges::move(records({topic, partition}), std::back_inserter(all));
  }
  return all;
}

std::map<std::string, std::string> FakeLog::rows(TopicPartition table) const {
  const std::lock_guard lock(state_->mutex);
  return state_->tables[fake::rows_key(table)].values;
}

std::size_t FakeLog::writes_waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting.size();
}

void FakeLog::set_batch_bytes_max(std::size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->batch_bytes_max = bytes;
}

void FakeLog::set_lease(std::optional<std::chrono::milliseconds> lease) {
  const std::lock_guard lock(state_->mutex);
  state_->lease = lease;
}

void FakeLog::set_generation(std::uint64_t generation) {
  const std::lock_guard lock(state_->mutex);
  state_->generation = generation;
}

PartitionId FakeLog::partitions(Topic topic) const {
  return is_single_partition(topic) ? 1 : state_->partition_count;
}

std::unique_ptr<Producer> FakeLog::producer() {
  return std::make_unique<FakeProducer>(state_);
}

Result<std::unique_ptr<Group>> FakeLog::join(GroupSpec spec,
                                             std::shared_ptr<GroupListener> listener) {
  auto group = std::make_shared<fake::GroupState>(std::move(spec), std::move(listener));
  const std::string name = group->spec.name;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed) return fail(Errc::kClosed);
    if (!state_->groups.emplace(name, group).second)
      return fail(Errc::kUnavailable, "group " + name + " has joined");
    for (const Topic topic : group->spec.tables) {
      if (!is_partition_owned(topic)) continue;
      state_->indexers[topic] = group->spec.indexer;
      for (auto& [where, rows] : state_->tables) {
        if (where.topic == topic) rows.index_anew(group->spec.indexer);
      }
    }
  }
  for (PartitionId partition = 0; partition < partitions(group->spec.subscribed); ++partition) {
    assign(name, partition);
  }
  return std::make_unique<fake::FakeGroup>(state_, group);
}

Result<std::unique_ptr<Reader>> FakeLog::read_from(TopicPartition where, Offset from) {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return fail(Errc::kClosed);
  return std::make_unique<fake::FakeReader>(state_, where, from);
}

Result<std::unique_ptr<SharedTable>> FakeLog::shared_table(Topic topic) {
  CHECK(is_table(topic), "topic {}", topic_name(topic));
  if (is_partition_owned(topic)) return fail(Errc::kUnsupported, std::string(topic_name(topic)));
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return fail(Errc::kClosed);
  return std::make_unique<fake::FakeSharedTable>(state_, topic);
}

bool FakeLog::reads_by_position() const {
  return state_->reads_by_position;
}

void FakeLog::read_at(RecordPosition position, ReadDone done) {
  Result<Record> result = fail(Errc::kNotFound);
  {
    const std::lock_guard lock(state_->mutex);
    const fake::Partition& partition = state_->partitions[position.where];
    if (!state_->reads_by_position)
      result = fail(Errc::kUnsupported);
    else if (state_->closed)
      result = fail(Errc::kClosed);
    else if (partition.readable(position.offset)) {
      const fake::Partition::Stored& stored = *partition.at(position.offset);
      if (stored.corrupt)
        result = fail(Errc::kCorrupt, "fake");
      else
        result = stored.record;
    }
  }
  done(std::move(result));
}

Result<void> FakeLog::history(Topic topic, Timestamp since, const VisitHistory& visit) {
  std::vector<HistoryRecord> all;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed) return fail(Errc::kClosed);
    if (is_table(topic)) {
      for (const auto& [where, rows] : state_->tables) {
        if (where.topic != topic) continue;
        for (const auto& [key, value] : rows.values)
          all.push_back({where, {0, {}, key, Bytes::copy_of(value)}});
      }
    } else {
      for (const auto& [where, partition] : state_->partitions) {
        if (where.topic != topic) continue;
        for (const fake::Partition::Stored& stored : partition.records) {
          if (stored.visible && stored.record.time >= since) all.push_back({where, stored.record});
        }
      }
    }
  }
  for (const HistoryRecord& record : all) {
    if (!visit(record)) break;
  }
  return {};
}

Result<Offset> FakeLog::committed(std::string_view group, TopicPartition where) {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return fail(Errc::kClosed);
  const auto found = state_->positions.find({std::string(group), where});
  if (found != state_->positions.end()) return found->second;
  return state_->partitions[where].start;
}

Offset FakeLog::end(TopicPartition where) const {
  const std::lock_guard lock(state_->mutex);
  const fake::Partition& partition = state_->partitions[where];
  Offset offset = partition.start;
  for (const fake::Partition::Stored& stored : partition.records) offset += stored.synced ? 1 : 0;
  return offset;
}

Status FakeLog::status() const {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return {.problem = "closed"};
  return {.writable = state_->problem.empty(),
          .problem = state_->problem,
          .bytes_free = state_->bytes_free};
}

void FakeLog::set_bytes_free(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->bytes_free = bytes;
}

void FakeLog::set_problem(std::string problem) {
  const std::lock_guard lock(state_->mutex);
  state_->problem = std::move(problem);
}

void FakeLog::close() {
  fake::Calls calls;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed) return;
    state_->complete_all(calls);
    state_->closed = true;
    for (auto& [where, partition] : state_->partitions) {
      for (const auto& weak : partition.waiters) {
        if (auto waiter = weak.lock(); waiter && waiter->wake)
          calls.push_back(std::move(waiter->wake));
      }
    }
  }
  fake::run(std::move(calls));
}

}  // namespace godwit::log
