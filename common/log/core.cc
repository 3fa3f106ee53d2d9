#include "common/log/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/recovery.h"

namespace godwit::log {
namespace {

constexpr std::uint64_t kBatchBytesMax = 4ull << 20;
constexpr std::size_t kReadThreads = 2;

// Octets of a write in a batch, at most.
std::uint64_t bytes_of(const Write& write) {
  constexpr std::uint64_t kEach = kRecordHeadBytes + 32;  // and a run of its own
  std::uint64_t bytes = 0;
  for (const Append& append : write.batch.appends) bytes += bytes_in_batch(append);
  for (const TableChange& change : write.batch.changes) bytes += bytes_in_batch(change);
  return bytes + write.batch.positions.size() * (kEach + write.group.size());
}

std::optional<Error> too_large(const std::string& key, std::size_t value_bytes) {
  if (key.size() <= kKeyBytesMax && key.size() + value_bytes <= kRecordBytesMax) {
    return std::nullopt;
  }
  return Error{Errc::kTooLarge, fmt::format("a record of {} octets", key.size() + value_bytes)};
}

// At the start: straight into the store.
class TableReplay final : public ReplaySink {
 public:
  explicit TableReplay(TableState& tables) : tables_(tables) {}
  Result<void> change(const TableChange& change) override { return tables_.stage_change(change); }
  Result<void> position(std::string_view group, const PositionChange& change) override {
    tables_.stage_position(group, change);
    return {};
  }
  Result<void> batch_end() override { return tables_.apply(); }

 private:
  TableState& tables_;
};

Result<Identity> create(store::FileSystem& files, const Layout& layout,
                        const EmbeddedConfig& config) {
  if (config.segment_bytes < kSegmentBytesMin || config.segment_bytes > kSegmentBytesMax ||
      config.segment_bytes % kPageBytes != 0) {
    return fail(Errc::kUnsupported, fmt::format("segments of {} octets", config.segment_bytes));
  }
  if (config.partitions < 1 || config.partitions > kPartitionsMax) {
    return fail(Errc::kUnsupported, fmt::format("{} partitions", config.partitions));
  }
  // What lies there without an identity was begun and not finished, or is not ours to overwrite.
  for (const auto& directory : {layout.segments, layout.archive, layout.tables}) {
    if (const auto names = files.list(directory); names && !names->empty()) {
      return fail(Errc::kCorrupt, layout.root.string() + ": the file `identity` is missing");
    }
    if (const auto made = files.create_directory(directory); !made) {
      return fail(Errc::kIo, made.error().to_string());
    }
  }
  for (const auto& directory : {layout.root.parent_path(), layout.root}) {
    if (const auto synced = files.sync_directory(directory); !synced) {
      return fail(Errc::kIo, synced.error().to_string());
    }
  }
  const Identity identity{static_cast<std::uint32_t>(config.segment_bytes), config.partitions};
  TRY_VOID(write_identity(files, layout.root, identity));
  return identity;
}

}  // namespace

Core::Core(const EmbeddedConfig& config, const Clock& clock, const Identity& identity)
    : counters(config.counters ? config.counters : std::make_shared<Counters>()),
      partitions(identity.partitions),
      clock_(clock),
      files_(config.file_system != nullptr ? *config.file_system : store::posix_file_system()),
      layout_(config.directory),
      segment_bytes_(identity.segment_bytes),
      // With the segment's header before it, its own in it, and rounded up to a page: a whole segment.
      write_bytes_max_(identity.segment_bytes - 2 * kPageBytes) {}

Core::~Core() {
  close();
}

Result<std::shared_ptr<Core>> Core::open(const EmbeddedConfig& config, const Clock& clock) {
  store::FileSystem& files =
      config.file_system != nullptr ? *config.file_system : store::posix_file_system();
  const Layout layout(config.directory);
  if (const auto made = files.create_directory(layout.root); !made) {
    return fail(Errc::kIo, made.error().to_string());
  }
  auto held = files.lock(layout.lock, /*shared=*/false);
  if (!held) {
    const bool locked = held.error().code == store::Errc::kLocked;
    return fail(locked ? Errc::kUnavailable : Errc::kIo, held.error().to_string());
  }
  TRY(std::optional<Identity> identity, read_identity(files, layout.root));
  if (!identity) {
    TRY(identity, create(files, layout, config));
  }
  auto core = std::shared_ptr<Core>(new Core(config, clock, *identity));
  core->lock = *std::move(held);
  TRY_VOID(core->recover_and_start(config));
  return core;
}

Result<void> Core::recover_and_start(const EmbeddedConfig& config) {
  segments = std::make_unique<SegmentSet>(files_, layout_.segments, segment_bytes_, *counters);
  archive = std::make_unique<Archive>(files_, layout_.archive, config.archive_policy,
                                      config.events_retention, *counters, clock_);
  TRY_VOID(archive->open(/*writes=*/true));

  // Before the first checkpoint the log has everything, and a store that is not there is made.
  const auto names = files_.list(layout_.tables);
  const bool fresh = (!names || names->empty()) && archive->archived_through() == 0;
  auto opened = store::Store::open({.directory = layout_.tables,
                                    .create = fresh,
                                    .file_system = config.file_system,
                                    .metrics = config.metrics});
  if (!opened) {
    const Error error = from_store(opened.error());
    return fail(error.code == Errc::kIo ? Errc::kCorrupt : error.code,
                "the tables do not open: " + error.context);
  }
  store = *std::move(opened);
  tables = std::make_unique<TableState>(*store);
  TRY_VOID(tables->load());
  TRY(const StoredState stored, read_stored_state(*store));

  TableReplay replay(*tables);
  TRY(Scan scan, recover({.files = files_,
                          .directory = layout_.segments,
                          .capacity = segment_bytes_,
                          .checkpoint = stored.checkpoint,
                          .needed_from = stored.needed_from,
                          .verify_from = stored.checkpoint},
                         stored, partitions, replay));
  TRY_VOID(tables->check(partitions));
  for (const auto& segment : scan.live) segments->add_live(segment);
  for (FreeSegment& segment : scan.free) segments->add_free(std::move(segment));
  // What a process that was killed left in the page cache is now relied upon.
  if (!scan.live.empty()) {
    if (const auto synced = scan.live.back()->file->sync(); !synced) {
      return fail(Errc::kIo, synced.error().to_string());
    }
  }

  applier = std::make_unique<TableApplier>(*tables, *counters);
  CommitterConfig committing{.reserve_segments = config.reserve_segments,
                             .tail_cache_bytes = config.tail_cache_bytes,
                             .batch_bytes_max = std::min(kBatchBytesMax, write_bytes_max_),
                             .commit_sync_delay_max = config.commit_sync_delay_max};
  committer = std::make_unique<Committer>(committing, *segments, partitions, *applier, space_,
                                          *counters, clock_);
  KeeperConfig keeping{.directory = layout_.root,
                       .reserve_segments = config.reserve_segments,
                       .reserve_table_bytes = config.reserve_table_bytes,
                       .unreferenced_body_hold = config.unreferenced_body_hold};
  keeper = std::make_unique<Keeper>(keeping, files_, *segments, partitions, *tables, *applier,
                                    *archive, space_, *counters, clock_);
  readers = std::make_unique<ReadPool>(kReadThreads);
  committer->when_broken([this](const Error& error) { broken(error); });
  applier->when_broken([this](const Error& error) { broken(error); });
  applier->start(scan.end);
  keeper->start(stored.checkpoint, stored.needed_from);
  committer->start(scan.clean && !scan.live.empty() ? scan.live.back() : nullptr, scan.end,
                   scan.next_sequence);
  return {};
}

void Core::close() {
  if (closed_.exchange(true)) return;
  if (committer) committer->stop();
  if (keeper) keeper->stop();
  // A clean stop leaves nothing to replay; when it fails the next start replays.
  if (keeper && !broken_) (void)keeper->checkpoint();
  if (applier) applier->stop();
  if (readers) readers->stop();
  partitions.close();
}

void Core::when_broken(std::function<void()> broken) {
  const std::lock_guard guard(broken_mutex_);
  broken_handler_ = std::move(broken);
}

void Core::broken(const Error&) {
  if (broken_.exchange(true)) return;
  applier->post([this] {
    std::function<void()> handler;
    {
      const std::lock_guard guard(broken_mutex_);
      handler = broken_handler_;
    }
    if (handler) handler();
  });
}

std::optional<Error> Core::refusal(const Write& write) const {
  if (closed_) return Error{Errc::kClosed, "the log is closed"};
  if (broken_) return Error{Errc::kUnavailable, "the log is broken"};
  for (const Append& append : write.batch.appends) {
    CHECK(!is_table(append.where.topic), "an append to {}", topic_name(append.where.topic));
    CHECK(partitions.find(append.where) != nullptr, "no partition {}", append.where.partition);
    if (auto error = too_large(append.key, append.value.size())) return error;
  }
  for (const TableChange& change : write.batch.changes) {
    CHECK(is_table(change.where.topic), "a change of {}", topic_name(change.where.topic));
    CHECK(partitions.find(change.where) != nullptr, "no partition {}", change.where.partition);
    if (auto error = too_large(change.key, change.value ? change.value->size() : 0)) return error;
  }
  if (write.bytes > write_bytes_max_) {
    return Error{Errc::kTooLarge, fmt::format("a batch of {} octets", write.bytes)};
  }
  if (write.from_outside && !space_.outside_open()) {
    if (space_.disk_fails()) return Error{Errc::kUnavailable, "no segment can be made"};
    counters->refused_no_space_total.fetch_add(1, std::memory_order_relaxed);
    return Error{Errc::kNoSpace, "only the reserve is left"};
  }
  return std::nullopt;
}

void Core::submit(WritePtr write) {
  write->bytes = bytes_of(*write);
  const auto allowance = std::move(write->allowance);
  if (auto error = refusal(*write)) return write->finish(fail(*std::move(error)));
  if (allowance && !allowance->take(write->bytes)) {
    counters->refused_unavailable_total.fetch_add(1, std::memory_order_relaxed);
    return write->finish(fail(Errc::kUnavailable, "too much is under way"));
  }
  write->allowance = allowance;
  committer->submit(std::move(write));
}

Status Core::status() const {
  Status status;
  if (closed_) {
    status.problem = "the log is closed";
    return status;
  }
  status.bytes_free = keeper->bytes_free();
  status.problem = committer->problem();
  if (status.problem.empty() && broken_) status.problem = keeper->problem();
  if (status.problem.empty() && !space_.outside_open()) status.problem = "only the reserve is left";
  status.writable = status.problem.empty();
  if (status.writable) status.problem = keeper->problem();  // of the tables: for people
  return status;
}

}  // namespace godwit::log
