#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/log/kafka/topics.h"
#include "common/log/log.h"
#include "common/log/ownership_rules.h"

namespace godwit::store {
class Store;
class StoreBatch;
}  // namespace godwit::store

namespace godwit::observe {
class Metrics;
}

namespace godwit::log {

// The local copies of tables: a cache in RocksDB that the topics can rebuild at any time.
//
// A copy is used only if it is of this cluster and this topic, its offset is within what the topic has, and its
// checkpoint is younger than half of the time for which Kafka keeps tombstones: an older one would raise the dead.
// Otherwise it is wiped and read anew.
// Durability  none asked for: after a crash the copy is as of an earlier checkpoint, and the rest is read again
// Threads     any; writes of one partition one at a time
class TableCopies : public std::enable_shared_from_this<TableCopies> {
 public:
  // A store that does not open is wiped. Errors: kUnavailable (another process has the directory), kIo.
  [[nodiscard]] static Result<std::shared_ptr<TableCopies>> open(
      const std::filesystem::path& directory, const KafkaTopics& topics, const Clock& clock,
      observe::Metrics* metrics = nullptr);
  ~TableCopies();

  // Before begin() of a partition-owned table: what its index is made by.
  void set_indexer(Topic topic, std::uint32_t version, Indexer indexer);

  struct Part {
    TopicPartition where;
    Extent extent;  // in Kafka
  };
  // Where to read on from, for each partition of the table that is given; nullopt: from its beginning, and the copy
  // is empty. Tables that no partition owns are begun with all of their partitions.
  [[nodiscard]] Result<std::vector<std::optional<Offset>>> begin(std::span<const Part> parts);
  // In order; `reached`: everything below is in the copy now. What is of a partition-owned copy that was wiped is
  // left out: a commit that ends after its partition was lost must not make a copy with holes.
  [[nodiscard]] Result<void> apply(std::span<const TableChange> changes,
                                   std::span<const PositionChange> reached);
  // The partition-owned copy is another's now.
  [[nodiscard]] Result<void> wipe(TopicPartition where);
  // The copies are current at this moment: a start soon after need not rebuild them.
  void close();

  [[nodiscard]] std::unique_ptr<Table> table(TopicPartition where) const;

 private:
  TableCopies(std::unique_ptr<store::Store> store, const KafkaTopics& topics, const Clock& clock);
  struct Index {
    std::uint32_t version = 0;
    Indexer indexer;
  };
  [[nodiscard]] std::optional<Index> index_of(Topic topic) const;
  [[nodiscard]] std::string source(TopicPartition where) const;
  [[nodiscard]] std::string checkpoint(TopicPartition where, Offset offset) const;
  [[nodiscard]] Result<std::optional<Offset>> usable(const Part& part) const;
  [[nodiscard]] bool in_use(TopicPartition where) const;
  void wipe_into(store::StoreBatch& batch, TopicPartition where) const;

  const std::unique_ptr<store::Store> store_;
  const KafkaTopics topics_;
  const Clock& clock_;
  std::shared_mutex use_mutex_;  // unique: copies begin and are wiped; shared: they are written
  mutable std::mutex mutex_;
  std::map<Topic, Index> indexes_;
  std::map<TopicPartition, Offset> reached_;  // of copies in use
};

}  // namespace godwit::log
