#include <fmt/format.h>

#include <map>
#include <utility>

#include "common/log/archive.h"
#include "common/log/embedded.h"
#include "common/log/history.h"
#include "common/log/identity.h"
#include "common/log/recovery.h"

namespace godwit::log {
namespace {

using store::Space;

Error only_reading() {
  return {Errc::kUnsupported, "the log was opened for reading its history"};
}

// What the tables lack, beside them: nothing may be written.
class Overlay final : public ReplaySink {
 public:
  Result<void> change(const TableChange& change) override {
    rows[table_prefix(change.where) + change.key] =
        change.value ? std::optional(change.value->to_string()) : std::nullopt;
    return {};
  }
  Result<void> position(std::string_view group, const PositionChange& change) override {
    positions[group_key(group, change.where)] = change.next;
    return {};
  }
  Result<void> batch_end() override { return {}; }

  std::map<std::string, std::optional<std::string>, std::less<>> rows;
  std::map<std::string, Offset, std::less<>> positions;
};

class RefusingProducer final : public Producer {
 public:
  void append(std::vector<Append>, WriteDone done) override { done(fail(only_reading())); }
};

class ReadOnlyLog final : public Log {
 public:
  ReadOnlyLog(const EmbeddedConfig& config, store::FileSystem& files, const Identity& identity,
              std::unique_ptr<store::FileLock> lock)
      : partitions_(identity.partitions),
        files_(files),
        layout_(config.directory),
        segment_bytes_(identity.segment_bytes),
        lock_(std::move(lock)),
        archive_(files, layout_.archive, {}, config.events_retention, counters_, system_clock()) {}

  Result<void> load(const EmbeddedConfig& config) {
    TRY_VOID(archive_.open(/*writes=*/false));
    auto opened = store::Store::open(
        {.directory = layout_.tables, .read_only = true, .file_system = config.file_system});
    if (!opened) {
      return fail(Errc::kCorrupt, "the tables do not open: " + opened.error().to_string());
    }
    store_ = *std::move(opened);
    TRY(const StoredState stored, read_stored_state(*store_));
    TRY(const Scan scan, recover({.files = files_,
                                  .directory = layout_.segments,
                                  .capacity = segment_bytes_,
                                  .checkpoint = stored.checkpoint,
                                  .needed_from = stored.needed_from,
                                  .verify_from = stored.checkpoint,
                                  .writes = false},
                                 stored, partitions_, overlay_));
    return {};
  }

  PartitionId partitions(Topic topic) const override { return partitions_.count(topic); }
  std::unique_ptr<Producer> producer() override { return std::make_unique<RefusingProducer>(); }
  Result<std::unique_ptr<Group>> join(GroupSpec, std::shared_ptr<GroupListener>) override {
    return fail(only_reading());
  }
  Result<std::unique_ptr<Reader>> read_from(TopicPartition, Offset) override {
    return fail(only_reading());
  }
  Result<std::unique_ptr<SharedTable>> shared_table(Topic) override { return fail(only_reading()); }
  bool reads_by_position() const override { return true; }
  void read_at(RecordPosition, ReadDone done) override { done(fail(only_reading())); }

  Result<void> history(Topic topic, Timestamp since, const VisitHistory& visit) override {
    if (is_table(topic)) return visit_table(topic, visit);
    return visit_topic(archive_, partitions_, topic, since, visit);
  }

  Result<Offset> committed(std::string_view group, TopicPartition where) override {
    const PartitionLog* const partition = partitions_.find(where);
    if (partition == nullptr) return fail(Errc::kNotFound);
    const std::string key = group_key(group, where);
    if (const auto found = overlay_.positions.find(key); found != overlay_.positions.end()) {
      return found->second;
    }
    const auto stored = store_->get(Space::kMeta, key);
    if (!stored) return fail(from_store(stored.error()));
    if (!*stored) return partition->start();
    const auto position = decode_group(key, **stored);
    if (!position) return fail(Errc::kCorrupt, "tables: a group position");
    return position->change.next;
  }

  Offset end(TopicPartition where) const override { return partitions_.at(where).durable_end(); }
  Status status() const override { return {.problem = only_reading().context}; }
  void close() override {}

 private:
  // Rows of the store and of the overlay, in order; the overlay's count.
  Result<void> visit_table(Topic topic, const VisitHistory& visit) {
    const std::string prefix(1, static_cast<char>(topic));
    auto newer = overlay_.rows.lower_bound(prefix);
    bool more = true;
    const auto visit_newer_below = [&](std::optional<std::string_view> row) {
      for (; more && newer != overlay_.rows.end() && newer->first.starts_with(prefix); ++newer) {
        if (row && newer->first >= *row) return;
        if (newer->second) more = visit_row(topic, newer->first, *newer->second, visit);
      }
    };
    const auto scanned = store_->scan(Space::kTables, prefix, prefix_end(prefix),
                                      [&](std::string_view row, std::string_view value) {
                                        visit_newer_below(row);
                                        if (!more) return false;
                                        const bool replaced =
                                            newer != overlay_.rows.end() && newer->first == row;
                                        if (!replaced) more = visit_row(topic, row, value, visit);
                                        return more;
                                      });
    if (!scanned) return fail(from_store(scanned.error()));
    visit_newer_below(std::nullopt);
    return {};
  }

  PartitionTable partitions_;
  store::FileSystem& files_;
  const Layout layout_;
  const std::uint32_t segment_bytes_;
  const std::unique_ptr<store::FileLock> lock_;
  Counters counters_;
  Archive archive_;
  std::unique_ptr<store::Store> store_;
  Overlay overlay_;
};

}  // namespace

Result<std::unique_ptr<Log>> open_embedded_read_only(const EmbeddedConfig& config) {
  store::FileSystem& files =
      config.file_system != nullptr ? *config.file_system : store::posix_file_system();
  const Layout layout(config.directory);
  auto held = files.lock(layout.lock, /*shared=*/true);
  if (!held && held.error().code == store::Errc::kLocked) {
    return fail(Errc::kUnavailable, held.error().to_string());
  }
  if (!held) return fail(Errc::kNotFound, "no log in " + config.directory.string());
  TRY(const std::optional<Identity> identity, read_identity(files, layout.root));
  if (!identity) return fail(Errc::kNotFound, "no log in " + config.directory.string());
  auto log = std::make_unique<ReadOnlyLog>(config, files, *identity, *std::move(held));
  TRY_VOID(log->load(config));
  return log;
}

}  // namespace godwit::log
