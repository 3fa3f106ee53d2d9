#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/log/log.h"
#include "common/log/partition_table.h"
#include "common/log/table_keys.h"
#include "common/store/store.h"

namespace godwit::log {

// What positions and table changes come to: rows, index entries and group positions in the store.
//
// One write of the log after the other is staged and then applied together. Everything is idempotent: after a
// crash the writes since the checkpoint are applied again.
//
// Durability  with Store::flush(); the checkpoint says which part of the log the store reflects
// Threads     stage_*(), apply(), set_indexer(): one at a time (the applier's); the look-ups: any
class TableState {
 public:
  explicit TableState(store::Store& store);

  // Reads the group positions. Errors: kCorrupt.
  [[nodiscard]] Result<void> load();

  // Nothing that a group has not read may be gone. Errors: kCorrupt.
  [[nodiscard]] Result<void> check(const PartitionTable& partitions) const;

  // From now on index entries of `topic` follow its rows. Entries that are missing, because rows changed while
  // no indexer was there or because `version` is another than last time, are made up for. Blocks.
  [[nodiscard]] Result<void> set_indexer(Topic topic, std::uint32_t version, Indexer indexer);

  [[nodiscard]] Result<void> stage_change(const TableChange& change);
  void stage_position(std::string_view group, const PositionChange& change);
  void stage_checkpoint(StreamPosition position, std::uint64_t needed_from,
                        const std::vector<PositionChange>& next_offsets);
  [[nodiscard]] std::size_t staged_bytes() const { return batch_.bytes(); }
  // On an error everything stays staged: resume() and try again.
  [[nodiscard]] Result<void> apply();
  [[nodiscard]] Result<void> resume();

  // nullopt: the group never committed one.
  [[nodiscard]] std::optional<Offset> position(std::string_view group, TopicPartition where) const;
  // The lowest position of all groups that read the partition; nullopt: no group does.
  [[nodiscard]] std::optional<Offset> lowest_position(TopicPartition where) const;

  [[nodiscard]] store::Store& store() { return store_; }

 private:
  struct Index {
    std::uint32_t version = 0;
    Indexer indexer;
  };
  [[nodiscard]] Result<std::optional<std::string>> current(const std::string& row) const;
  void stage_index(const Index& index, const TableChange& change,
                   const std::optional<std::string>& old);
  [[nodiscard]] Result<void> rebuild_index(Topic topic, const Index& index);
  [[nodiscard]] Result<void> catch_up_index(Topic topic, const Index& index);

  store::Store& store_;
  store::StoreBatch batch_;
  // Rows of partition-owned tables that the staged batch changes; kUnindexed marks that it makes.
  std::unordered_map<std::string, std::optional<std::string>> staged_rows_;
  std::unordered_map<std::string, bool> staged_unindexed_;
  std::map<std::pair<std::string, TopicPartition>, Offset> staged_positions_;
  std::map<Topic, Index> indexes_;

  mutable std::shared_mutex mutex_;
  std::map<std::pair<TopicPartition, std::string>, Offset> positions_;
};

// A table, or one partition of it, as callers see it.
// Threads: any.
class StoreTable final : public Table {
 public:
  StoreTable(const store::Store& store, TopicPartition where);
  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const override;
  [[nodiscard]] Result<void> scan(std::string_view from, std::string_view to,
                                  const Visit& visit) const override;
  [[nodiscard]] Result<void> scan_index(std::string_view from, std::string_view to,
                                        const VisitIndex& visit) const override;

 private:
  [[nodiscard]] Result<void> scan_space(store::Space space, std::string_view from,
                                        std::string_view to, const Visit& visit) const;
  const store::Store& store_;
  std::string prefix_;
};

// An error of the store as one of the log: a full disk is kNoSpace, octets that are wrong are kCorrupt.
[[nodiscard]] Error from_store(const Error& error);

}  // namespace godwit::log
