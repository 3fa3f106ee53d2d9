#include "common/log/embedded.h"

#include <utility>

#include "common/base/check.h"
#include "common/log/core.h"
#include "common/log/groups.h"
#include "common/log/history.h"
#include "common/log/partition_reader.h"

namespace godwit::log {
namespace {

// Of one producer's appends under way.
constexpr std::uint64_t kProducerBytesMax = 64ull << 20;

class EmbeddedProducer final : public Producer {
 public:
  explicit EmbeddedProducer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  void append(std::vector<Append> records, WriteDone done) override {
    auto write = std::make_unique<Write>();
    write->batch.appends = std::move(records);
    write->from_outside = true;
    write->urgent = true;
    write->allowance = allowance_;
    write->done = std::move(done);
    core_->submit(std::move(write));
  }

 private:
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Allowance> allowance_ = std::make_shared<Allowance>(kProducerBytesMax);
};

class EmbeddedSharedTable final : public SharedTable {
 public:
  EmbeddedSharedTable(std::shared_ptr<Core> core, Topic topic)
      : core_(std::move(core)),
        topic_(topic),
        table_(*core_->store, {topic, 0}),
        watch_(std::make_shared<TableApplier::Watch>()) {
    watch_->topic = topic;
    core_->applier->watch(watch_);
  }
  ~EmbeddedSharedTable() override {
    const std::lock_guard lock(watch_->mutex);  // a call under way has returned
    watch_->changed = nullptr;
  }

  const Table& local() const override { return table_; }
  bool caught_up() const override { return true; }
  void change(std::vector<TableChange> changes, WriteDone done) override {
    change_and_append(std::move(changes), {}, std::move(done));
  }
  void change_and_append(std::vector<TableChange> changes, std::vector<Append> appends,
                         WriteDone done) override {
    for (const TableChange& change : changes) {
      CHECK(change.where.topic == topic_, "a change of {}", topic_name(change.where.topic));
    }
    auto write = std::make_unique<Write>();
    write->batch.changes = std::move(changes);
    write->batch.appends = std::move(appends);
    write->urgent = true;
    write->allowance = allowance_;
    write->done = std::move(done);
    core_->submit(std::move(write));
  }
  void when_changed(Changed changed) override {
    const std::lock_guard lock(watch_->mutex);
    watch_->changed = std::move(changed);
  }

 private:
  const std::shared_ptr<Core> core_;
  const Topic topic_;
  const StoreTable table_;
  const std::shared_ptr<TableApplier::Watch> watch_;
  const std::shared_ptr<Allowance> allowance_ = std::make_shared<Allowance>(kProducerBytesMax);
};

// A reader outside any group keeps the log's parts alive.
class FreeReader final : public Reader {
 public:
  FreeReader(std::shared_ptr<Core> core, TopicPartition where, Offset from)
      : core_(std::move(core)), reader_(core_->partitions.at(where), *core_->counters, from) {}
  Result<std::vector<Record>> take(std::size_t records_max, std::size_t bytes_max) override {
    return reader_.take(records_max, bytes_max);
  }
  void when_ready(Wake wake) override { reader_.when_ready(std::move(wake)); }
  Offset next() const override { return reader_.next(); }
  void skip_to(Offset offset) override { reader_.skip_to(offset); }

 private:
  const std::shared_ptr<Core> core_;
  PartitionReader reader_;
};

class EmbeddedLog final : public Log {
 public:
  explicit EmbeddedLog(std::shared_ptr<Core> core) : core_(std::move(core)), groups_(core_) {
    core_->when_broken([this] { groups_.lose_all(); });
  }
  ~EmbeddedLog() override { close(); }

  PartitionId partitions(Topic topic) const override { return core_->partitions.count(topic); }
  std::unique_ptr<Producer> producer() override {
    return std::make_unique<EmbeddedProducer>(core_);
  }
  Result<std::unique_ptr<Group>> join(GroupSpec spec,
                                      std::shared_ptr<GroupListener> listener) override {
    return groups_.join(std::move(spec), std::move(listener));
  }

  Result<std::unique_ptr<Reader>> read_from(TopicPartition where, Offset from) override {
    if (core_->closed()) return fail(Errc::kClosed);
    return std::make_unique<FreeReader>(core_, where, from);
  }

  Result<std::unique_ptr<SharedTable>> shared_table(Topic topic) override {
    CHECK(is_table(topic), "{} is not a table", topic_name(topic));
    if (core_->closed()) return fail(Errc::kClosed);
    if (is_partition_owned(topic)) return fail(Errc::kUnsupported, std::string(topic_name(topic)));
    return std::make_unique<EmbeddedSharedTable>(core_, topic);
  }

  bool reads_by_position() const override { return true; }

  void read_at(RecordPosition position, ReadDone done) override {
    PartitionLog* const partition = core_->partitions.find(position.where);
    if (partition == nullptr) return done(fail(Errc::kNotFound));
    auto found = partition->find(position.offset, 1, 0);
    if (!found.records.empty()) {
      core_->counters->tail_cache_hits_total.fetch_add(1, std::memory_order_relaxed);
      return done(std::move(found.records.front()));
    }
    if (!found.run) return done(fail(found.error.value_or(Errc::kNotFound)));
    core_->counters->tail_cache_misses_total.fetch_add(1, std::memory_order_relaxed);
    core_->readers->read(*std::move(found.run), position.offset, std::move(done));
  }

  Result<void> history(Topic topic, Timestamp since, const VisitHistory& visit) override {
    if (core_->closed()) return fail(Errc::kClosed);
    if (is_table(topic)) return visit_rows(*core_->store, topic, visit);
    const auto pinned = core_->keeper->pin();
    return visit_topic(*core_->archive, core_->partitions, topic, since, visit);
  }

  Result<Offset> committed(std::string_view group, TopicPartition where) override {
    PartitionLog* const partition = core_->partitions.find(where);
    if (partition == nullptr) return fail(Errc::kNotFound);
    return core_->tables->position(group, where).value_or(partition->start());
  }

  Offset end(TopicPartition where) const override {
    return core_->partitions.at(where).durable_end();
  }
  Status status() const override { return core_->status(); }

  void close() override {
    core_->close();
    core_->when_broken(nullptr);
  }

 private:
  const std::shared_ptr<Core> core_;
  Groups groups_;
};

}  // namespace

Result<std::optional<std::uint64_t>> embedded_segment_bytes(
    const std::filesystem::path& directory) {
  TRY(const auto identity, read_identity(store::posix_file_system(), Layout(directory).root));
  if (!identity) return std::nullopt;
  return identity->segment_bytes;
}

Result<std::unique_ptr<Log>> open_embedded(const EmbeddedConfig& config, const Clock& clock) {
  TRY(auto core, Core::open(config, clock));
  return std::make_unique<EmbeddedLog>(std::move(core));
}

}  // namespace godwit::log
