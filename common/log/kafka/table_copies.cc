#include "common/log/kafka/table_copies.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "common/base/check.h"
#include "common/log/ownership_rules.h"
#include "common/log/table_keys.h"
#include "common/log/table_state.h"
#include "common/observe/log.h"
#include "common/store/store.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;
using store::Space;
using store::StoreBatch;

constexpr observe::Logger kLog{"kafka"};

std::string checkpoint_key(TopicPartition where) {
  return fmt::format("kafka/{}/{}", topic_name(where.topic), where.partition);
}

// A table over copies that it keeps open.
class CopiedTable final : public Table {
 public:
  CopiedTable(std::shared_ptr<const TableCopies> copies, const store::Store& store,
              TopicPartition where)
      : copies_(std::move(copies)), table_(store, where) {}
  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const override {
    return table_.get(key);
  }
  [[nodiscard]] Result<void> scan(std::string_view from, std::string_view to,
                                  const Visit& visit) const override {
    return table_.scan(from, to, visit);
  }
  [[nodiscard]] Result<void> scan_index(std::string_view from, std::string_view to,
                                        const VisitIndex& visit) const override {
    return table_.scan_index(from, to, visit);
  }

 private:
  std::shared_ptr<const TableCopies> copies_;
  StoreTable table_;
};

}  // namespace

TableCopies::TableCopies(std::unique_ptr<store::Store> store, const KafkaTopics& topics,
                         const Clock& clock)
    : store_(std::move(store)), topics_(topics), clock_(clock) {}

TableCopies::~TableCopies() = default;

Result<std::shared_ptr<TableCopies>> TableCopies::open(const std::filesystem::path& directory,
                                                       const KafkaTopics& topics,
                                                       const Clock& clock,
                                                       observe::Metrics* metrics) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(Errc::kIo, directory.string() + ": " + error.message());
  const store::StoreOptions options{.directory = directory, .create = true, .metrics = metrics};
  auto opened = store::Store::open(options);
  if (!opened && opened.error().code == store::Errc::kCorrupt) {
    kLog.warning("local copies of tables are not readable, and read from Kafka again",
                 {{"problem", opened.error()}});
    std::filesystem::remove_all(directory, error);
    std::filesystem::create_directories(directory, error);
    opened = store::Store::open(options);
  }
  if (!opened && opened.error().code == store::Errc::kLocked) {
    return fail(std::make_error_code(std::errc::device_or_resource_busy),
                opened.error().to_string());
  }
  if (!opened) return fail(from_store(opened.error()));
  return std::shared_ptr<TableCopies>(new TableCopies(*std::move(opened), topics, clock));
}

void TableCopies::set_indexer(Topic topic, std::uint32_t version, Indexer indexer) {
  const std::lock_guard lock(mutex_);
  indexes_[topic] = {version, std::move(indexer)};
}

std::optional<TableCopies::Index> TableCopies::index_of(Topic topic) const {
  const std::lock_guard lock(mutex_);
  const auto found = indexes_.find(topic);
  if (found == indexes_.end() || !found->second.indexer) return std::nullopt;
  return found->second;
}

std::string TableCopies::source(TopicPartition where) const {
  const auto index = index_of(where.topic);
  return fmt::format("{} {} {}", topics_.cluster_id,
                     topics_.ids[static_cast<std::size_t>(where.topic)],
                     index ? index->version : 0);
}

std::string TableCopies::checkpoint(TopicPartition where, Offset offset) const {
  return CopyMark{source(where), offset, clock_.now()}.to_text();
}

Result<std::optional<Offset>> TableCopies::usable(const Part& part) const {
  auto stored = store_->get(Space::kMeta, checkpoint_key(part.where));
  if (!stored) return fail(from_store(stored.error()));
  if (!*stored) return std::nullopt;
  return reusable(CopyMark::from_text(**stored), source(part.where), clock_.now(), part.extent);
}

void TableCopies::wipe_into(StoreBatch& batch, TopicPartition where) const {
  const std::string prefix = table_prefix(where);
  batch.erase_range(Space::kTables, prefix, prefix_end(prefix));
  batch.erase_range(Space::kIndex, prefix, prefix_end(prefix));
  batch.erase(Space::kMeta, checkpoint_key(where));
}

Result<std::vector<std::optional<Offset>>> TableCopies::begin(std::span<const Part> parts) {
  const std::unique_lock use(use_mutex_);
  std::vector<std::optional<Offset>> offsets;
  StoreBatch batch(*store_);
  bool shared_unusable = false;
  for (const Part& part : parts) {
    TRY(const auto offset, usable(part));
    offsets.push_back(offset);
    if (offset) continue;
    wipe_into(batch, part.where);
    shared_unusable = shared_unusable || !is_partition_owned(part.where.topic);
  }
  if (shared_unusable) {
    // Rows do not say which partition they came from.
    for (std::size_t i = 0; i < parts.size(); ++i) {
      wipe_into(batch, parts[i].where);
      offsets[i] = std::nullopt;
    }
  }
  if (auto written = store_->write(batch); !written) return fail(from_store(written.error()));
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    reached_[parts[i].where] = offsets[i].value_or(parts[i].extent.start);
  }
  return offsets;
}

Result<void> TableCopies::apply(std::span<const TableChange> changes,
                                std::span<const PositionChange> reached) {
  const std::shared_lock use(use_mutex_);
  StoreBatch batch(*store_);
  std::map<std::string, std::optional<std::string>, std::less<>> staged;
  for (const TableChange& change : changes) {
    if (!in_use(change.where)) continue;
    const std::string prefix = table_prefix(change.where);
    const std::string row = prefix + change.key;
    if (const auto index = index_of(change.where.topic)) {
      std::optional<std::string> old;
      if (const auto found = staged.find(row); found != staged.end()) {
        old = found->second;
      } else {
        auto stored = store_->get(Space::kTables, row);
        if (!stored) return fail(from_store(stored.error()));
        old = *std::move(stored);
      }
      if (old) {
        index->indexer(change.key, *old,
                       [&](std::string entry) { batch.erase(Space::kIndex, prefix + entry); });
      }
      std::optional<std::string> fresh;
      if (change.value) {
        fresh = change.value->to_string();
        index->indexer(change.key, *fresh,
                       [&](std::string entry) { batch.put(Space::kIndex, prefix + entry, ""); });
      }
      staged[row] = std::move(fresh);
    }
    if (change.value) {
      std::vector<std::string_view> pieces;
      for (const Bytes& piece : change.value->pieces()) pieces.push_back(piece.view());
      batch.put(Space::kTables, row, pieces);
    } else {
      batch.erase(Space::kTables, row);
    }
  }
  for (const PositionChange& at : reached) {
    if (!in_use(at.where)) continue;
    batch.put(Space::kMeta, checkpoint_key(at.where), checkpoint(at.where, at.next));
  }
  if (auto written = store_->write(batch); !written) {
    // A disk that was full goes on when there is room; the caller tries again.
    (void)store_->resume();
    return fail(from_store(written.error()));
  }
  const std::lock_guard lock(mutex_);
  for (const PositionChange& at : reached) {
    if (const auto found = reached_.find(at.where); found != reached_.end())
      found->second = at.next;
  }
  return {};
}

bool TableCopies::in_use(TopicPartition where) const {
  const std::lock_guard lock(mutex_);
  return reached_.contains(where);
}

Result<void> TableCopies::wipe(TopicPartition where) {
  const std::unique_lock use(use_mutex_);
  StoreBatch batch(*store_);
  wipe_into(batch, where);
  if (auto written = store_->write(batch); !written) return fail(from_store(written.error()));
  const std::lock_guard lock(mutex_);
  reached_.erase(where);
  return {};
}

void TableCopies::close() {
  std::map<TopicPartition, Offset> reached;
  {
    const std::lock_guard lock(mutex_);
    reached = reached_;
  }
  StoreBatch batch(*store_);
  for (const auto& [where, offset] : reached) {
    batch.put(Space::kMeta, checkpoint_key(where), checkpoint(where, offset));
  }
  auto written = store_->write(batch);
  if (written) written = store_->flush();
  if (!written) kLog.warning("copies of tables", {{"problem", written.error()}});
}

std::unique_ptr<Table> TableCopies::table(TopicPartition where) const {
  return std::make_unique<CopiedTable>(shared_from_this(), *store_, where);
}

}  // namespace godwit::log
