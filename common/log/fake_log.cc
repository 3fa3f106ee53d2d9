#include "common/log/fake_log.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>
#include <utility>

#include "common/base/check.h"

namespace godwit::log {
namespace {

using Calls = std::vector<std::move_only_function<void()>>;

void run(Calls calls) {
  for (auto& call : calls) call();
}

struct Stored {
  Record record;
  bool visible = false;
  bool synced = false;
  bool corrupt = false;
};

struct Waiter {
  Offset next = 0;
  bool dead = false;
  Wake wake;
};

struct PartitionState {
  Offset start = 0;
  std::vector<Stored> records;
  std::vector<std::weak_ptr<Waiter>> waiters;

  [[nodiscard]] Offset next() const { return start + static_cast<Offset>(records.size()); }
  [[nodiscard]] const Stored* at(Offset offset) const {
    if (offset < start || offset >= next()) return nullptr;
    return &records[static_cast<std::size_t>(offset - start)];
  }
  [[nodiscard]] bool readable(Offset offset) const {
    const Stored* stored = at(offset);
    return stored != nullptr && stored->visible;
  }
};

class FakeOwnership;

struct Write {
  Batch batch;
  std::string group;  // empty: of a producer or a shared table
  std::vector<Offset> offsets;
  std::error_code answer;  // set: what it is answered with
  bool applied = true;     // false: nothing of it is there
  std::weak_ptr<FakeOwnership> owner;
  WriteDone done;
};

struct Scripted {
  std::error_code code;
  bool written = false;
};

struct Rows {
  std::map<std::string, std::string> values;
  std::set<std::string> index;
};

struct GroupState {
  GroupSpec spec;
  std::shared_ptr<GroupListener> listener;
  std::map<PartitionId, std::shared_ptr<FakeOwnership>> owned;
};

// Rows of a table that no partition owns are kept under partition 0.
TopicPartition rows_key(TopicPartition where) {
  return is_partition_owned(where.topic) ? where : TopicPartition{where.topic, 0};
}

}  // namespace

struct FakeLog::State : std::enable_shared_from_this<FakeLog::State> {
  State(const Clock& clock_in, PartitionId partition_count_in, bool by_position)
      : clock(clock_in), partition_count(partition_count_in), reads_by_position(by_position) {}

  const Clock& clock;
  const PartitionId partition_count;
  std::size_t batch_bytes_max = 32u << 20;
  std::optional<std::chrono::milliseconds> lease;
  std::uint64_t generation = 0;
  const bool reads_by_position;

  mutable std::mutex mutex;
  std::map<TopicPartition, PartitionState> partitions;
  std::map<TopicPartition, Rows> tables;
  std::map<std::pair<std::string, TopicPartition>, Offset> positions;
  std::deque<Write> waiting;
  std::deque<Scripted> scripted;
  std::map<std::string, std::shared_ptr<GroupState>> groups;
  std::map<Topic, Indexer> indexers;
  struct Watch {
    Topic topic;
    SharedTable::Changed changed;
  };
  std::vector<std::weak_ptr<Watch>> watches;
  std::uint64_t life = 1;  // grows at each crash()
  std::set<Topic> interleaved;
  bool held = false;
  bool closed = false;
  std::string problem;
  std::uint64_t bytes_free = 1ull << 40;

  void submit(Write write);
  void complete_all(Calls& calls);
  void apply(const Batch& batch, const std::string& group, Calls& calls);
  void wake(TopicPartition where, Calls& calls);
};

namespace {

using State = FakeLog::State;

class FakeReader final : public Reader {
 public:
  FakeReader(std::shared_ptr<State> state, TopicPartition where, Offset from)
      : state_(std::move(state)),
        where_(where),
        life_(state_->life),
        waiter_(std::make_shared<Waiter>()) {
    waiter_->next = std::max(from, state_->partitions[where].start);
    state_->partitions[where].waiters.push_back(waiter_);
  }
  ~FakeReader() override {
    const std::lock_guard lock(state_->mutex);
    waiter_->dead = true;
  }

  Result<std::vector<Record>> take(std::size_t records_max, std::size_t bytes_max) override {
    const std::lock_guard lock(state_->mutex);
    const PartitionState& partition = state_->partitions[where_];
    Offset& next = waiter_->next;
    if (state_->closed || state_->life != life_) return fail(Errc::kClosed);
    if (next < partition.start) return fail(Errc::kNotFound);
    std::vector<Record> taken;
    std::size_t bytes = 0;
    while (taken.size() < std::max<std::size_t>(records_max, 1) && partition.readable(next)) {
      const Stored& stored = *partition.at(next);
      bytes += stored.record.key.size() + stored.record.value.size();
      if (!taken.empty() && bytes > bytes_max) break;
      if (stored.corrupt) {
        if (taken.empty()) return fail(Errc::kCorrupt, "fake");
        break;
      }
      taken.push_back(stored.record);
      ++next;
    }
    return taken;
  }

  void when_ready(Wake wake) override {
    {
      const std::lock_guard lock(state_->mutex);
      const PartitionState& partition = state_->partitions[where_];
      const bool ready = partition.readable(waiter_->next) || waiter_->next < partition.start ||
                         state_->closed || state_->life != life_;
      waiter_->wake = nullptr;
      if (!ready) {
        waiter_->wake = std::move(wake);
        return;
      }
    }
    wake();
  }

  Offset next() const override {
    const std::lock_guard lock(state_->mutex);
    return waiter_->next;
  }
  void skip_to(Offset offset) override {
    const std::lock_guard lock(state_->mutex);
    waiter_->next = offset;
  }

 private:
  std::shared_ptr<State> state_;
  TopicPartition where_;
  std::uint64_t life_;
  std::shared_ptr<Waiter> waiter_;
};

class FakeTable final : public Table {
 public:
  FakeTable(std::shared_ptr<State> state, TopicPartition where)
      : state_(std::move(state)), where_(rows_key(where)) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const std::lock_guard lock(state_->mutex);
    const auto& values = state_->tables[where_].values;
    const auto found = values.find(std::string(key));
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }

  Result<void> scan(std::string_view from, std::string_view to, const Visit& visit) const override {
    std::map<std::string, std::string> values;
    {
      const std::lock_guard lock(state_->mutex);
      values = state_->tables[where_].values;
    }
    for (auto row = values.lower_bound(std::string(from)); row != values.end(); ++row) {
      if (!to.empty() && row->first >= to) break;
      if (!visit(row->first, row->second)) break;
    }
    return {};
  }

  Result<void> scan_index(std::string_view from, std::string_view to,
                          const VisitIndex& visit) const override {
    std::set<std::string> index;
    {
      const std::lock_guard lock(state_->mutex);
      index = state_->tables[where_].index;
    }
    for (auto entry = index.lower_bound(std::string(from)); entry != index.end(); ++entry) {
      if (!to.empty() && *entry >= to) break;
      if (!visit(*entry)) break;
    }
    return {};
  }

 private:
  std::shared_ptr<State> state_;
  TopicPartition where_;
};

class FakeOwnership final : public Ownership, public std::enable_shared_from_this<FakeOwnership> {
 public:
  FakeOwnership(std::shared_ptr<State> state, std::string group, PartitionId partition)
      : state_(std::move(state)),
        group_(std::move(group)),
        partition_(partition),
        generation_(state_->generation) {}

  PartitionId partition() const override { return partition_; }

  Reader& reader(Topic topic) override {
    const std::lock_guard lock(state_->mutex);
    auto& reader = readers_[topic];
    if (!reader)
      reader =
          std::make_unique<FakeReader>(state_, TopicPartition{topic, partition_}, position(topic));
    return *reader;
  }

  Table& table(Topic topic) override {
    const std::lock_guard lock(state_->mutex);
    auto& table = tables_[topic];
    if (!table) table = std::make_unique<FakeTable>(state_, TopicPartition{topic, partition_});
    return *table;
  }

  Offset committed(Topic topic) const override {
    const std::lock_guard lock(state_->mutex);
    return position(topic);
  }

  std::optional<std::chrono::milliseconds> lease() const override {
    const std::lock_guard lock(state_->mutex);
    return state_->lease;
  }

  std::uint64_t generation() const override { return generation_; }

  void commit(Batch batch, WriteDone done) override {
    for (const PositionChange& change : batch.positions) {
      CHECK(change.where.partition == partition_, "position of partition {}",
            change.where.partition);
    }
    {
      const std::lock_guard lock(state_->mutex);
      if (ended_) {
        batch = {};
      }
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

  std::size_t batch_bytes_max() const override {
    const std::lock_guard lock(state_->mutex);
    return state_->batch_bytes_max;
  }

  bool ended() const {
    const std::lock_guard lock(state_->mutex);
    return ended_;
  }
  void end_locked() { ended_ = true; }

 private:
  Offset position(Topic topic) const {
    const auto found = state_->positions.find({group_, {topic, partition_}});
    return found == state_->positions.end() ? 0 : found->second;
  }

  std::shared_ptr<State> state_;
  std::string group_;
  PartitionId partition_;
  const std::uint64_t generation_;
  bool ended_ = false;
  std::map<Topic, std::unique_ptr<Reader>> readers_;
  std::map<Topic, std::unique_ptr<Table>> tables_;
};

class FakeProducer final : public Producer {
 public:
  explicit FakeProducer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void append(std::vector<Append> records, WriteDone done) override {
    Write write;
    write.batch.appends = std::move(records);
    write.done = std::move(done);
    state_->submit(std::move(write));
  }

 private:
  std::shared_ptr<State> state_;
};

class FakeSharedTable final : public SharedTable {
 public:
  FakeSharedTable(std::shared_ptr<State> state, Topic topic)
      : state_(std::move(state)), topic_(topic), table_(state_, TopicPartition{topic, 0}) {}

  const Table& local() const override { return table_; }
  bool caught_up() const override { return true; }
  void change(std::vector<TableChange> changes, WriteDone done) override {
    change_and_append(std::move(changes), {}, std::move(done));
  }
  void change_and_append(std::vector<TableChange> changes, std::vector<Append> appends,
                         WriteDone done) override {
    for (const TableChange& change : changes) CHECK(change.where.topic == topic_);
    Write write;
    write.batch.changes = std::move(changes);
    write.batch.appends = std::move(appends);
    write.done = std::move(done);
    state_->submit(std::move(write));
  }
  void when_changed(Changed changed) override {
    const std::lock_guard lock(state_->mutex);
    watch_ = std::make_shared<State::Watch>(topic_, std::move(changed));
    state_->watches.push_back(watch_);
  }

 private:
  std::shared_ptr<State> state_;
  Topic topic_;
  FakeTable table_;
  std::shared_ptr<State::Watch> watch_;
};

class FakeGroup final : public Group {
 public:
  FakeGroup(std::shared_ptr<State> state, std::shared_ptr<GroupState> group)
      : state_(std::move(state)), group_(std::move(group)) {}
  ~FakeGroup() override { stop(std::chrono::milliseconds(0)); }

  void stop(std::chrono::milliseconds) override {
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

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<GroupState> group_;
};

std::optional<Error> refusal(const State& state, const Batch& batch) {
  if (state.closed) return Error{Errc::kClosed, "fake"};
  if (!state.problem.empty()) return Error{Errc::kUnavailable, state.problem};
  const auto too_large = [](const std::string& key, std::size_t value) {
    return key.size() > kKeyBytesMax || key.size() + value > kRecordBytesMax;
  };
  for (const Append& append : batch.appends) {
    CHECK(!is_table(append.where.topic), "append to table {}", topic_name(append.where.topic));
    if (too_large(append.key, append.value.size())) return Error{Errc::kTooLarge, append.key};
  }
  for (const TableChange& change : batch.changes) {
    CHECK(is_table(change.where.topic), "change of topic {}", topic_name(change.where.topic));
    if (too_large(change.key, change.value ? change.value->size() : 0))
      return Error{Errc::kTooLarge, change.key};
  }
  return std::nullopt;
}

}  // namespace

void State::wake(TopicPartition where, Calls& calls) {
  auto& waiters = partitions[where].waiters;
  std::erase_if(waiters, [](const auto& waiter) { return waiter.expired(); });
  for (const auto& weak : waiters) {
    if (auto waiter = weak.lock();
        waiter && waiter->wake && partitions[where].readable(waiter->next)) {
      calls.push_back(std::move(waiter->wake));
      waiter->wake = nullptr;
    }
  }
}

void State::submit(Write write) {
  Calls calls;
  {
    const std::lock_guard lock(mutex);
    if (auto error = refusal(*this, write.batch)) {
      calls.push_back([done = std::move(write.done), error = *std::move(error)]() mutable {
        done(fail(error));
      });
    } else {
      bool refused = false;
      if (!scripted.empty()) {
        write.answer = scripted.front().code;
        write.applied = scripted.front().written;
        refused = write.answer != Errc::kUnknown;
        scripted.pop_front();
      }
      if (refused) {
        calls.push_back([done = std::move(write.done), code = write.answer]() mutable {
          done(fail(code, "fake"));
        });
      } else {
        if (write.applied) {
          for (Append& append : write.batch.appends) {
            PartitionState& partition = partitions[append.where];
            const Offset offset = partition.next();
            partition.records.push_back(
                {.record = {offset, clock.now(), append.key, append.value},
                 .visible = !write.group.empty() &&
                            (offset == partition.start || partition.readable(offset - 1))});
            write.offsets.push_back(offset);
            if (interleaved.contains(append.where.topic)) {
              partition.records.push_back(
                  {.record = {offset + 1, clock.now(), "another", Bytes::of_static("another's")},
                   .visible = true,
                   .synced = true});
            }
            wake(append.where, calls);
          }
        }
        waiting.push_back(std::move(write));
        if (!held) complete_all(calls);
      }
    }
  }
  run(std::move(calls));
}

void State::complete_all(Calls& calls) {
  while (!waiting.empty()) {
    Write write = std::move(waiting.front());
    waiting.pop_front();
    if (write.applied) apply(write.batch, write.group, calls);
    if (write.answer) {
      if (auto owner = write.owner.lock()) {
        owner->end_locked();
        const auto found = groups.find(write.group);
        if (found != groups.end() && found->second->owned.erase(owner->partition()) > 0) {
          calls.push_back(
              [listener = found->second->listener, p = owner->partition()] { listener->lost(p); });
        }
      }
      calls.push_back([done = std::move(write.done), code = write.answer]() mutable {
        done(fail(code, "fake"));
      });
    } else {
      calls.push_back([done = std::move(write.done), offsets = std::move(write.offsets)]() mutable {
        done(Written{std::move(offsets)});
      });
    }
  }
  for (auto& [where, partition] : partitions) {
    for (Stored& stored : partition.records) stored.visible = stored.synced = true;
    wake(where, calls);
  }
}

void State::apply(const Batch& batch, const std::string& group, Calls& calls) {
  for (const TableChange& change : batch.changes) {
    Rows& rows = tables[rows_key(change.where)];
    const auto indexer = indexers.find(change.where.topic);
    const auto reindex = [&](const std::string& value, bool add) {
      if (indexer == indexers.end() || !indexer->second) return;
      indexer->second(change.key, value, [&](std::string entry) {
        if (add)
          rows.index.insert(std::move(entry));
        else
          rows.index.erase(entry);
      });
    };
    if (const auto old = rows.values.find(change.key); old != rows.values.end()) {
      reindex(old->second, false);
      rows.values.erase(old);
    }
    if (change.value) {
      const std::string value = change.value->to_string();
      reindex(value, true);
      rows.values.emplace(change.key, value);
    }
  }
  for (const PositionChange& change : batch.positions)
    positions[{group, change.where}] = change.next;

  std::map<Topic, std::vector<TableChange>> by_topic;
  for (const TableChange& change : batch.changes) by_topic[change.where.topic].push_back(change);
  std::erase_if(watches, [](const auto& watch) { return watch.expired(); });
  for (const auto& weak : watches) {
    auto watch = weak.lock();
    if (!watch || !by_topic.contains(watch->topic)) continue;
    calls.push_back([watch, changes = by_topic[watch->topic]] { watch->changed(changes); });
  }
}

FakeLog::FakeLog(const Clock& clock, PartitionId partitions, bool reads_by_position)
    : state_(std::make_shared<State>(clock, partitions, reads_by_position)) {}

FakeLog::~FakeLog() = default;

void FakeLog::hold() {
  const std::lock_guard lock(state_->mutex);
  state_->held = true;
}

void FakeLog::sync() {
  Calls calls;
  {
    const std::lock_guard lock(state_->mutex);
    state_->complete_all(calls);
  }
  run(std::move(calls));
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
  PartitionState& partition = state_->partitions[where];
  while (partition.start < offset && !partition.records.empty()) {
    partition.records.erase(partition.records.begin());
    ++partition.start;
  }
}

void FakeLog::interleave(Topic topic) {
  const std::lock_guard lock(state_->mutex);
  state_->interleaved.insert(topic);
}

void FakeLog::corrupt(RecordPosition position) {
  const std::lock_guard lock(state_->mutex);
  PartitionState& partition = state_->partitions[position.where];
  CHECK(partition.at(position.offset) != nullptr, "no record {}", position.offset);
  partition.records[static_cast<std::size_t>(position.offset - partition.start)].corrupt = true;
}

void FakeLog::assign(const std::string& name, PartitionId partition) {
  std::shared_ptr<GroupState> group;
  std::shared_ptr<FakeOwnership> ownership;
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->groups.find(name);
    CHECK(found != state_->groups.end(), "no group {}", name);
    group = found->second;
    CHECK(!group->owned.contains(partition), "partition {} is assigned", partition);
    ownership = std::make_shared<FakeOwnership>(state_, name, partition);
    group->owned[partition] = ownership;
  }
  group->listener->assigned(std::move(ownership));
}

void FakeLog::revoke(const std::string& name, PartitionId partition) {
  std::shared_ptr<GroupState> group;
  std::shared_ptr<FakeOwnership> ownership;
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
  std::shared_ptr<GroupState> group;
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
  for (const Stored& stored : state_->partitions[where].records) all.push_back(stored.record);
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
  return state_->tables[rows_key(table)].values;
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
  auto group = std::make_shared<GroupState>(std::move(spec), std::move(listener));
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
        if (where.topic != topic) continue;
        rows.index.clear();
        if (!group->spec.indexer) continue;
        for (const auto& [key, value] : rows.values) {
          group->spec.indexer(key, value,
                              [&](std::string entry) { rows.index.insert(std::move(entry)); });
        }
      }
    }
  }
  for (PartitionId partition = 0; partition < partitions(group->spec.subscribed); ++partition) {
    assign(name, partition);
  }
  return std::make_unique<FakeGroup>(state_, group);
}

Result<std::unique_ptr<Reader>> FakeLog::read_from(TopicPartition where, Offset from) {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return fail(Errc::kClosed);
  return std::make_unique<FakeReader>(state_, where, from);
}

Result<std::unique_ptr<SharedTable>> FakeLog::shared_table(Topic topic) {
  CHECK(is_table(topic), "topic {}", topic_name(topic));
  if (is_partition_owned(topic)) return fail(Errc::kUnsupported, std::string(topic_name(topic)));
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return fail(Errc::kClosed);
  return std::make_unique<FakeSharedTable>(state_, topic);
}

bool FakeLog::reads_by_position() const {
  return state_->reads_by_position;
}

void FakeLog::read_at(RecordPosition position, ReadDone done) {
  Result<Record> result = fail(Errc::kNotFound);
  {
    const std::lock_guard lock(state_->mutex);
    const PartitionState& partition = state_->partitions[position.where];
    if (!state_->reads_by_position)
      result = fail(Errc::kUnsupported);
    else if (state_->closed)
      result = fail(Errc::kClosed);
    else if (partition.readable(position.offset)) {
      const Stored& stored = *partition.at(position.offset);
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
        for (const Stored& stored : partition.records) {
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
  const PartitionState& partition = state_->partitions[where];
  Offset offset = partition.start;
  for (const Stored& stored : partition.records) offset += stored.synced ? 1 : 0;
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
  Calls calls;
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
  run(std::move(calls));
}

}  // namespace godwit::log
