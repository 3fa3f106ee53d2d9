#include "common/log/kafka/shared_tables.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "common/base/check.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

constexpr observe::Logger kLog{"kafka"};
constexpr std::size_t kChangesMax = 1000;
constexpr std::size_t kChangesBytesMax = 4u << 20;

}  // namespace

// The copy of one table, its readers' progress and whoever waits for it.
class SharedTables::Copy {
 public:
  struct Watch {
    std::mutex mutex;  // held while `changed` runs: whoever destroys the table waits for it
    SharedTable::Changed changed;
  };

  Copy(Topic topic, std::vector<Offset> targets, std::shared_ptr<TableCopies> copies)
      : topic_(topic),
        targets_(std::move(targets)),
        applied_(targets_.size(), 0),
        copies_(std::move(copies)),
        table_(copies_->table({topic, 0})) {}

  [[nodiscard]] const Table& table() const { return *table_; }
  [[nodiscard]] bool caught_up() const {
    const std::lock_guard lock(mutex_);
    return std::ranges::equal(applied_, targets_, std::ranges::greater_equal{});
  }

  // On the consumer's thread.
  void apply(PartitionId partition, std::vector<TableChange> changes, Offset next) {
    const PositionChange reached{{topic_, partition}, next};
    if (auto applied = copies_->apply(changes, std::span(&reached, 1)); !applied) {
      kLog.error("a table stands still",
                 {{"table", topic_name(topic_)}, {"problem", applied.error()}});
      failed_ = true;
      return;
    }
    std::vector<std::shared_ptr<Watch>> watches;
    std::vector<std::move_only_function<void()>> ready;
    {
      const std::lock_guard lock(mutex_);
      applied_[partition] = std::max(applied_[partition], next);
      std::erase_if(watches_, [](const auto& watch) { return watch.expired(); });
      for (const auto& watch : watches_) {
        if (auto at = watch.lock()) watches.push_back(std::move(at));
      }
      for (Waiter& waiter : waiters_) {
        if (applied_[waiter.at.where.partition] >= waiter.at.next)
          ready.push_back(std::move(waiter.then));
      }
      std::erase_if(waiters_, [](const Waiter& waiter) { return !waiter.then; });
    }
    if (!changes.empty()) {
      for (const auto& watch : watches) {
        const std::lock_guard lock(watch->mutex);
        if (watch->changed) watch->changed(changes);
      }
    }
    for (auto& then : ready) then();
  }
  [[nodiscard]] bool failed() const { return failed_; }

  void start_at(PartitionId partition, Offset offset) {
    const std::lock_guard lock(mutex_);
    applied_[partition] = offset;
  }
  void watch(const std::shared_ptr<Watch>& watch) {
    const std::lock_guard lock(mutex_);
    watches_.push_back(watch);
  }
  void wait(PositionChange at, std::move_only_function<void()> then) {
    {
      const std::lock_guard lock(mutex_);
      if (!stopped_ && applied_[at.where.partition] < at.next) {
        waiters_.push_back({at, std::move(then)});
        return;
      }
    }
    then();
  }
  void stop() {
    std::vector<Waiter> waiters;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      waiters.swap(waiters_);
    }
    for (Waiter& waiter : waiters) waiter.then();
  }

 private:
  struct Waiter {
    PositionChange at;
    std::move_only_function<void()> then;
  };
  const Topic topic_;
  const std::vector<Offset> targets_;
  mutable std::mutex mutex_;
  std::vector<Offset> applied_;
  std::vector<std::weak_ptr<Watch>> watches_;
  std::vector<Waiter> waiters_;
  bool stopped_ = false;
  std::atomic<bool> failed_{false};
  const std::shared_ptr<TableCopies> copies_;
  const std::unique_ptr<Table> table_;
};

namespace {

// Gathers what is read of one partition, and applies it as one.
class CopySink final : public RecordSink {
 public:
  CopySink(std::shared_ptr<SharedTables::Copy> copy, TopicPartition where)
      : copy_(std::move(copy)), where_(where) {}

  bool on_record(Record record, bool tombstone) override {
    next_ = record.offset + 1;
    bytes_ += record.key.size() + record.value.size();
    TableChange& change = changes_.emplace_back();
    change.where = where_;
    change.key = std::move(record.key);
    if (!tombstone) change.value = std::move(record.value);
    if (changes_.size() >= kChangesMax || bytes_ >= kChangesBytesMax) on_pause();
    return !copy_->failed();
  }
  void on_pause() override {
    if (changes_.empty() || copy_->failed()) return;
    copy_->apply(where_.partition, std::exchange(changes_, {}), next_);
    bytes_ = 0;
  }
  void on_end(Offset next) override {
    on_pause();
    next_ = std::max(next_, next);
    copy_->apply(where_.partition, {}, next_);
  }
  void on_failure(Error error) override {
    kLog.error(
        "a table cannot be read",
        {{"table", topic_name(where_.topic)}, {"partition", where_.partition}, {"problem", error}});
  }

 private:
  std::shared_ptr<SharedTables::Copy> copy_;
  TopicPartition where_;
  std::vector<TableChange> changes_;
  std::size_t bytes_ = 0;
  Offset next_ = 0;
};

class KafkaSharedTable final : public SharedTable {
 public:
  KafkaSharedTable(SharedTables& tables, Appender& appender, TableTransactions& transactions,
                   Topic topic, std::shared_ptr<SharedTables::Copy> copy)
      : tables_(tables),
        appender_(appender),
        transactions_(transactions),
        topic_(topic),
        copy_(std::move(copy)) {}
  ~KafkaSharedTable() override {
    if (!watch_) return;
    const std::lock_guard lock(watch_->mutex);
    watch_->changed = nullptr;
  }

  [[nodiscard]] const Table& local() const override { return copy_->table(); }
  [[nodiscard]] bool caught_up() const override { return copy_->caught_up(); }
  void change(std::vector<TableChange> changes, WriteDone done) override {
    std::vector<TopicPartition> places;
    std::vector<Appender::Entry> entries;
    for (TableChange& change : changes) {
      CHECK(change.where.topic == topic_, "change of {}", topic_name(change.where.topic));
      places.push_back(change.where);
      entries.push_back({change.where, std::move(change.key), std::move(change.value)});
    }
    appender_.write(std::move(entries), [tables = &tables_, places = std::move(places),
                                         done = std::move(done)](Result<Written> written) mutable {
      if (!written) return done(std::move(written));
      std::vector<PositionChange> reached;
      for (std::size_t i = 0; i < places.size(); ++i) {
        reached.push_back({places[i], written->offsets[i] + 1});
      }
      tables->when_applied(std::move(reached),
                           [done = std::move(done), written = std::move(written)]() mutable {
                             done(std::move(written));
                           });
    });
  }
  void change_and_append(std::vector<TableChange> changes, std::vector<Append> appends,
                         WriteDone done) override {
    std::vector<TopicPartition> places;
    for (const TableChange& change : changes) {
      CHECK(change.where.topic == topic_, "change of {}", topic_name(change.where.topic));
      places.push_back(change.where);
    }
    for (const Append& append : appends)
      CHECK(!is_table(append.where.topic), "append to table {}", topic_name(append.where.topic));
    transactions_.write(std::move(changes), std::move(appends),
                        [tables = &tables_, places = std::move(places),
                         done = std::move(done)](Result<TableTransactions::Place> written) mutable {
                          if (!written) return done(fail(std::move(written).error()));
                          std::vector<PositionChange> reached;
                          for (std::size_t i = 0; i < places.size(); ++i) {
                            reached.push_back({places[i], written->changed[i] + 1});
                          }
                          tables->when_applied(std::move(reached),
                                               [done = std::move(done),
                                                offsets = std::move(written->appended)]() mutable {
                                                 done(Written{.offsets = std::move(offsets)});
                                               });
                        });
  }
  void when_changed(Changed changed) override {
    if (!watch_) {
      watch_ = std::make_shared<SharedTables::Copy::Watch>();
      copy_->watch(watch_);
    }
    const std::lock_guard lock(watch_->mutex);
    watch_->changed = std::move(changed);
  }

 private:
  SharedTables& tables_;
  Appender& appender_;
  TableTransactions& transactions_;
  const Topic topic_;
  const std::shared_ptr<SharedTables::Copy> copy_;
  std::shared_ptr<SharedTables::Copy::Watch> watch_;
};

}  // namespace

SharedTables::SharedTables(const KafkaOptions& options, const TopicNames& names,
                           const KafkaTopics& topics, KafkaAdmin& admin, Appender& appender,
                           TableTransactions& transactions, std::shared_ptr<TableCopies> copies)
    : options_(options),
      names_(names),
      topics_(topics),
      admin_(admin),
      appender_(appender),
      transactions_(transactions),
      copies_(std::move(copies)) {}

SharedTables::~SharedTables() {
  stop();
}

std::shared_ptr<SharedTables::Copy> SharedTables::find(Topic topic) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(topic);
  return found == open_.end() ? nullptr : found->second;
}

Result<std::unique_ptr<SharedTable>> SharedTables::open(Topic topic) {
  CHECK(is_table(topic), "{} is no table", topic_name(topic));
  if (is_partition_owned(topic)) return fail(Errc::kUnsupported, std::string(topic_name(topic)));
  const std::lock_guard lock(mutex_);
  if (stopped_) return fail(Errc::kClosed);
  const auto found = open_.find(topic);
  std::shared_ptr<Copy> copy = found == open_.end() ? nullptr : found->second;
  if (!copy) {
    if (!consumer_) {
      TRY(consumer_, KafkaConsumer::start(options_, names_, "tables"));
    }
    std::vector<KafkaAdmin::At> asked;
    const PartitionId count = topics_.partitions[static_cast<std::size_t>(topic)];
    for (PartitionId p = 0; p < count; ++p) asked.push_back({names_.of(topic), p});
    TRY(const auto starts, admin_.offsets(asked, KafkaAdmin::Edge::kStart));
    TRY(const auto ends, admin_.offsets(std::move(asked), KafkaAdmin::Edge::kEndCommitted));
    std::vector<TableCopies::Part> parts;
    for (PartitionId p = 0; p < count; ++p) {
      parts.push_back({{topic, p}, {starts[p].offset, ends[p].offset}});
    }
    TRY(const auto begin, copies_->begin(parts));
    std::vector<Offset> targets;
    for (const KafkaAdmin::At& at : ends) targets.push_back(at.offset);
    copy = std::make_shared<Copy>(topic, std::move(targets), copies_);
    for (PartitionId p = 0; p < count; ++p) {
      if (begin[p]) copy->start_at(p, *begin[p]);
      consumer_->attach({topic, p}, begin[p].value_or(RD_KAFKA_OFFSET_BEGINNING),
                        std::make_shared<CopySink>(copy, TopicPartition{topic, p}));
    }
    open_[topic] = copy;
  }
  return std::make_unique<KafkaSharedTable>(*this, appender_, transactions_, topic, copy);
}

void SharedTables::when_applied(std::vector<PositionChange> reached,
                                std::move_only_function<void()> then) {
  // Counts down what is still to come, and this function itself.
  struct Countdown {
    std::atomic<std::size_t> left{1};
    std::move_only_function<void()> then;
    void one_less() {
      if (left.fetch_sub(1) == 1) then();
    }
  };
  auto countdown = std::make_shared<Countdown>();
  countdown->then = std::move(then);
  for (const PositionChange& at : reached) {
    const std::shared_ptr<Copy> copy = find(at.where.topic);
    if (!copy) continue;
    ++countdown->left;
    copy->wait(at, [countdown] { countdown->one_less(); });
  }
  countdown->one_less();
}

void SharedTables::stop() {
  std::map<Topic, std::shared_ptr<Copy>> open;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    open = open_;
  }
  if (consumer_) consumer_->stop();
  for (const auto& [topic, copy] : open) copy->stop();
}

}  // namespace godwit::log
