#include "common/log/table_state.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/recovery.h"

namespace godwit::log {
namespace {

using store::Space;

// The value of an unindexed mark: whether there was a row, and what it said.
std::string encode_old(const std::optional<std::string>& old) {
  return old ? "1" + *old : std::string("0");
}
std::optional<std::string> decode_old(std::string_view mark) {
  if (!mark.starts_with('1')) return std::nullopt;
  return std::string(mark.substr(1));
}

std::string unindexed_key(std::string_view row) {
  return std::string(kUnindexedPrefix) + std::string(row);
}

// Of a partition-owned table: topic and partition in front of each key.
constexpr std::size_t kOwnedPrefixBytes = 5;

}  // namespace

Error from_store(const Error& error) {
  Errc code = Errc::kIo;
  if (error.code == store::Errc::kNoSpace) code = Errc::kNoSpace;
  if (error.code == store::Errc::kCorrupt) code = Errc::kCorrupt;
  if (error.code == store::Errc::kLocked) code = Errc::kUnavailable;
  return {code, error.context};
}

TableState::TableState(store::Store& store) : store_(store), batch_(store) {}

Result<void> TableState::load() {
  bool sound = true;
  const auto scanned =
      store_.scan(Space::kMeta, kGroupPrefix, prefix_end(std::string(kGroupPrefix)),
                  [&](std::string_view key, std::string_view value) {
                    const auto found = decode_group(key, value);
                    sound = found.has_value();
                    if (sound) positions_[{found->change.where, found->group}] = found->change.next;
                    return sound;
                  });
  if (!scanned) return fail(from_store(scanned.error()));
  if (!sound) return fail(Errc::kCorrupt, "tables: a group position");
  return {};
}

Result<void> TableState::check(const PartitionTable& partitions) const {
  const std::shared_lock lock(mutex_);
  for (const auto& [key, next] : positions_) {
    TRY_VOID(check_position(partitions, key.second, {key.first, next}));
  }
  return {};
}

Result<std::optional<std::string>> TableState::current(const std::string& row) const {
  if (const auto staged = staged_rows_.find(row); staged != staged_rows_.end()) {
    return staged->second;
  }
  auto found = store_.get(Space::kTables, row);
  if (!found) return fail(from_store(found.error()));
  return *std::move(found);
}

Result<void> TableState::stage_change(const TableChange& change) {
  const std::string row = table_prefix(change.where) + change.key;
  if (is_partition_owned(change.where.topic)) {
    TRY(const std::optional<std::string> old, current(row));
    const auto index = indexes_.find(change.where.topic);
    if (index != indexes_.end()) {
      stage_index(index->second, change, old);
    } else if (!staged_unindexed_.contains(row)) {
      // Remember what the index still says of this row, the first time.
      auto marked = store_.get(Space::kMeta, unindexed_key(row));
      if (!marked) return fail(from_store(marked.error()));
      if (!*marked) batch_.put(Space::kMeta, unindexed_key(row), encode_old(old));
      staged_unindexed_.emplace(row, true);
    }
    staged_rows_[row] = change.value ? std::optional(change.value->to_string()) : std::nullopt;
  }
  if (change.value) {
    std::vector<std::string_view> pieces;
    for (const Bytes& piece : change.value->pieces()) pieces.push_back(piece.view());
    batch_.put(Space::kTables, row, pieces);
  } else {
    batch_.erase(Space::kTables, row);
  }
  return {};
}

void TableState::stage_index(const Index& index, const TableChange& change,
                             const std::optional<std::string>& old) {
  const std::string prefix = table_prefix(change.where);
  if (!index.indexer) return;
  if (old) {
    index.indexer(change.key, *old,
                  [&](std::string entry) { batch_.erase(Space::kIndex, prefix + entry); });
  }
  if (change.value) {
    index.indexer(change.key, change.value->flatten().view(),
                  [&](std::string entry) { batch_.put(Space::kIndex, prefix + entry, ""); });
  }
}

void TableState::stage_position(std::string_view group, const PositionChange& change) {
  batch_.put(Space::kMeta, group_key(group, change.where), encode_offset(change.next));
  staged_positions_[{std::string(group), change.where}] = change.next;
}

void TableState::stage_checkpoint(StreamPosition position, std::uint64_t needed_from,
                                  const std::vector<PositionChange>& next_offsets) {
  batch_.put(Space::kMeta, kCheckpointKey, encode_checkpoint(position, needed_from));
  batch_.put(Space::kMeta, kNextOffsetsKey, encode_next_offsets(next_offsets));
}

Result<void> TableState::apply() {
  if (!batch_.empty()) {
    if (const auto written = store_.write(batch_); !written) {
      return fail(from_store(written.error()));
    }
  }
  batch_.clear();
  staged_rows_.clear();
  staged_unindexed_.clear();
  const std::lock_guard lock(mutex_);
  for (const auto& [key, next] : staged_positions_) positions_[{key.second, key.first}] = next;
  staged_positions_.clear();
  return {};
}

Result<void> TableState::resume() {
  if (const auto resumed = store_.resume(); !resumed) return fail(from_store(resumed.error()));
  return {};
}

Result<void> TableState::set_indexer(Topic topic, std::uint32_t version, Indexer indexer) {
  CHECK(is_partition_owned(topic), "an index of {}", topic_name(topic));
  CHECK(batch_.empty());
  const Index& index = indexes_[topic] = Index{version, std::move(indexer)};
  const std::string version_key = std::string(kIndexerPrefix) + static_cast<char>(topic);
  const auto stored = store_.get(Space::kMeta, version_key);
  if (!stored) return fail(from_store(stored.error()));
  if (*stored != encode_offset(version)) {
    TRY_VOID(rebuild_index(topic, index));
    batch_.put(Space::kMeta, version_key, encode_offset(version));
  } else {
    TRY_VOID(catch_up_index(topic, index));
  }
  const std::string marks = unindexed_key(std::string(1, static_cast<char>(topic)));
  batch_.erase_range(Space::kMeta, marks, prefix_end(marks));
  return apply();
}

Result<void> TableState::rebuild_index(Topic topic, const Index& index) {
  const std::string prefix(1, static_cast<char>(topic));
  batch_.erase_range(Space::kIndex, prefix, prefix_end(prefix));
  const auto scanned = store_.scan(
      Space::kTables, prefix, prefix_end(prefix),
      [&](std::string_view row, std::string_view value) {
        if (!index.indexer || row.size() < kOwnedPrefixBytes) return true;
        const std::string owned(row.substr(0, kOwnedPrefixBytes));
        index.indexer(row.substr(kOwnedPrefixBytes), value,
                      [&](std::string entry) { batch_.put(Space::kIndex, owned + entry, ""); });
        return true;
      });
  if (!scanned) return fail(from_store(scanned.error()));
  return {};
}

Result<void> TableState::catch_up_index(Topic topic, const Index& index) {
  const std::string marks = unindexed_key(std::string(1, static_cast<char>(topic)));
  Result<void> caught_up;
  const auto scanned = store_.scan(
      Space::kMeta, marks, prefix_end(marks), [&](std::string_view mark, std::string_view old) {
        const std::string row(mark.substr(kUnindexedPrefix.size()));
        if (!index.indexer || row.size() < kOwnedPrefixBytes) return true;
        const std::string owned = row.substr(0, kOwnedPrefixBytes);
        const std::string key = row.substr(kOwnedPrefixBytes);
        auto now = current(row);
        if (!now) {
          caught_up = fail(now.error());
          return false;
        }
        if (const auto before = decode_old(old)) {
          index.indexer(key, *before,
                        [&](std::string entry) { batch_.erase(Space::kIndex, owned + entry); });
        }
        if (*now) {
          index.indexer(key, **now,
                        [&](std::string entry) { batch_.put(Space::kIndex, owned + entry, ""); });
        }
        return true;
      });
  if (!scanned) return fail(from_store(scanned.error()));
  return caught_up;
}

std::optional<Offset> TableState::position(std::string_view group, TopicPartition where) const {
  const std::shared_lock lock(mutex_);
  const auto found = positions_.find({where, std::string(group)});
  if (found == positions_.end()) return std::nullopt;
  return found->second;
}

std::optional<Offset> TableState::lowest_position(TopicPartition where) const {
  const std::shared_lock lock(mutex_);
  std::optional<Offset> lowest;
  for (auto at = positions_.lower_bound({where, {}});
       at != positions_.end() && at->first.first == where; ++at) {
    lowest = std::min(lowest.value_or(at->second), at->second);
  }
  return lowest;
}

StoreTable::StoreTable(const store::Store& store, TopicPartition where)
    : store_(store), prefix_(table_prefix(where)) {}

Result<std::optional<std::string>> StoreTable::get(std::string_view key) const {
  auto found = store_.get(Space::kTables, prefix_ + std::string(key));
  if (!found) return fail(from_store(found.error()));
  return *std::move(found);
}

Result<void> StoreTable::scan_space(Space space, std::string_view from, std::string_view to,
                                    const Visit& visit) const {
  const std::string lower = prefix_ + std::string(from);
  const std::string upper = to.empty() ? prefix_end(prefix_) : prefix_ + std::string(to);
  const auto scanned =
      store_.scan(space, lower, upper, [&](std::string_view key, std::string_view value) {
        return visit(key.substr(prefix_.size()), value);
      });
  if (!scanned) return fail(from_store(scanned.error()));
  return {};
}

Result<void> StoreTable::scan(std::string_view from, std::string_view to,
                              const Visit& visit) const {
  return scan_space(Space::kTables, from, to, visit);
}

Result<void> StoreTable::scan_index(std::string_view from, std::string_view to,
                                    const VisitIndex& visit) const {
  return scan_space(Space::kIndex, from, to,
                    [&](std::string_view entry, std::string_view) { return visit(entry); });
}

}  // namespace godwit::log
