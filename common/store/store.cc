#include "common/store/store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <vector>

#include "common/base/check.h"
#include "common/observe/log.h"
#include "common/store/metrics.h"
#include "common/store/rocksdb_file_system.h"

namespace godwit::store {
namespace {

constexpr observe::Logger kLog{"store"};

// Each checkpoint writes a file of the few rows that change all the time (positions, heartbeats), and those are the first
// and the last of their space: merged into the first level, they have all of it rewritten. So that level is no larger
// than a write buffer, and many such files are merged at a time. With RocksDB's own numbers, 256 MiB and 4 files, a
// million parked messages cost each message that passed them by a third more CPU.
constexpr int kFilesMerged = 16;
constexpr int kFilesToSlowDown = kFilesMerged + 16;  // as far above as RocksDB has them
constexpr int kFilesToStop = kFilesMerged + 32;

constexpr std::array<const char*, kSpaces> kFamilyNames{"default", "tables", "index"};

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

Error from_status(const rocksdb::Status& status, std::string_view what) {
  Errc code = Errc::kIo;
  if (status.IsCorruption() || status.IsInvalidArgument()) code = Errc::kCorrupt;
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) code = Errc::kNoSpace;
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
    code = Errc::kLocked;
  }
  return {code, std::string(what) + ": " + status.ToString()};
}

Result<void> check(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return {};
  return fail(from_status(status, what));
}

// Left to itself, RocksDB goes on after a full disk only when a whole write buffer has room beside what it
// wants to write. That may be never, with a reserve that is smaller; so it is told when: resume().
class NoRecoveryOfItsOwn final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// What RocksDB complains about comes back as errors of its calls; what it says besides is for debugging. A file of its
// own beside the data (LOG) would be the first thing to fail on a full disk, and Debian's RocksDB 7.8.3 ends the process
// for the second line that it cannot write there (an assertion in writable_file_writer.h).
class ToOurLog final : public rocksdb::Logger {
 public:
  ToOurLog() : rocksdb::Logger(rocksdb::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {
  }  // without a level: headlines
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::WARN_LEVEL || level >= rocksdb::HEADER_LEVEL) return;
    if (!kLog.enabled(observe::Level::kDebug)) return;
    std::array<char, observe::kLogTextBytesMax> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    kLog.debug("RocksDB", {{"text", text.data()}});
  }
};

rocksdb::ColumnFamilyOptions family_options(Space space, const StoreOptions& options) {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = options.write_buffer_bytes;
  family.max_bytes_for_level_base = options.write_buffer_bytes;
  family.level0_file_num_compaction_trigger = kFilesMerged;
  family.level0_slowdown_writes_trigger = kFilesToSlowDown;
  family.level0_stop_writes_trigger = kFilesToStop;
  family.compression = rocksdb::kLZ4Compression;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (space == Space::kMeta) return family;
  // The heads of queues collect tombstones: files full of them are compacted away. Not by their share of a file
  // (deletion_ratio), which a checkpoint's few rows have quickly.
  family.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(/*sliding_window_size=*/2048,
                                                    /*deletion_trigger=*/1024));
  if (space == Space::kTables) {
    // Content of parked deliveries: one copy, not moved by compaction.
    family.enable_blob_files = true;
    family.min_blob_size = 8 * 1024;
    family.blob_file_size = 64ull << 20;
    family.enable_blob_garbage_collection = true;
  }
  return family;
}

rocksdb::DBOptions database_options(const StoreOptions& options, rocksdb::Env* env) {
  rocksdb::DBOptions database;
  database.create_if_missing = options.create;
  database.create_missing_column_families = options.create;
  database.atomic_flush = true;
  database.paranoid_checks = true;
  database.max_background_jobs = 2;
  database.max_open_files = 512;
  database.info_log = std::make_shared<ToOurLog>();
  database.stats_dump_period_sec = 0;
  database.stats_persist_period_sec = 0;
  database.listeners.push_back(std::make_shared<NoRecoveryOfItsOwn>());
  if (env != nullptr) database.env = env;
  return database;
}

}  // namespace

struct Store::State {
  std::unique_ptr<rocksdb::Env> env;  // before the database: it is used until the end
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  std::atomic<rocksdb::SequenceNumber> compacted{0};  // what was written until then
  std::optional<StoreMetrics> metrics;

  ~State() {
    metrics.reset();
    if (!database) return;
    for (rocksdb::ColumnFamilyHandle* family : families) {
      database->DestroyColumnFamilyHandle(family);
    }
    database->Close();
  }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(Space space) const {
    return families[static_cast<std::size_t>(space)];
  }
  // An integer property: of the database, or the sum over its column families. 0 when there is none.
  [[nodiscard]] std::uint64_t property(const std::string& name, bool of_database) const {
    std::uint64_t sum = 0;
    for (rocksdb::ColumnFamilyHandle* family : families) {
      std::uint64_t value = 0;
      if (database->GetIntProperty(family, name, &value)) sum += value;
      if (of_database) break;
    }
    return sum;
  }
};

struct StoreBatch::State {
  const Store::State* store;
  rocksdb::WriteBatch batch;
};

StoreBatch::StoreBatch(const Store& store)
    : state_(std::make_unique<State>(store.state_.get(), rocksdb::WriteBatch())) {}
StoreBatch::~StoreBatch() = default;
StoreBatch::StoreBatch(StoreBatch&&) noexcept = default;
StoreBatch& StoreBatch::operator=(StoreBatch&&) noexcept = default;

// The only error of these is "out of memory"; a batch of ours has no size limit.
void StoreBatch::put(Space space, std::string_view key, std::string_view value) {
  CHECK(state_->batch.Put(state_->store->family(space), slice(key), slice(value)).ok());
}

void StoreBatch::put(Space space, std::string_view key,
                     std::span<const std::string_view> value_pieces) {
  const rocksdb::Slice key_slice = slice(key);
  std::vector<rocksdb::Slice> pieces;
  pieces.reserve(value_pieces.size());
  for (const std::string_view piece : value_pieces) pieces.push_back(slice(piece));
  CHECK(state_->batch
            .Put(state_->store->family(space), rocksdb::SliceParts(&key_slice, 1),
                 rocksdb::SliceParts(pieces.data(), static_cast<int>(pieces.size())))
            .ok());
}

void StoreBatch::erase(Space space, std::string_view key) {
  CHECK(state_->batch.Delete(state_->store->family(space), slice(key)).ok());
}

void StoreBatch::erase_range(Space space, std::string_view from, std::string_view to) {
  CHECK(state_->batch.DeleteRange(state_->store->family(space), slice(from), slice(to)).ok());
}

bool StoreBatch::empty() const {
  return state_->batch.Count() == 0;
}
std::size_t StoreBatch::bytes() const {
  return state_->batch.GetDataSize();
}
void StoreBatch::clear() {
  state_->batch.Clear();
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  auto state = std::make_unique<State>();
  if (options.file_system != nullptr) state->env = make_rocksdb_env(*options.file_system);
  const rocksdb::DBOptions database = database_options(options, state->env.get());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (int space = 0; space < kSpaces; ++space) {
    families.emplace_back(kFamilyNames[static_cast<std::size_t>(space)],
                          family_options(static_cast<Space>(space), options));
  }
  rocksdb::DB* opened = nullptr;
  const std::string path = options.directory.string();
  const rocksdb::Status status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(database, path, families, &state->families, &opened)
          : rocksdb::DB::Open(database, path, families, &state->families, &opened);
  state->database.reset(opened);
  TRY_VOID(check(status, path));
  if (options.metrics != nullptr) {
    state->metrics.emplace(*options.metrics,
                           [at = state.get()](const std::string& name, bool of_database) {
                             return at->property(name, of_database);
                           });
  }
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

Result<std::optional<std::string>> Store::get(Space space, std::string_view key) const {
  std::string value;
  const rocksdb::Status status =
      state_->database->Get(rocksdb::ReadOptions(), state_->family(space), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  TRY_VOID(check(status, "get"));
  return value;
}

Result<void> Store::scan(Space space, std::string_view from, std::string_view to,
                         const Visit& visit) const {
  rocksdb::ReadOptions options;
  // Both bounds: an iterator then never walks over the tombstones in front of `from` or behind `to`.
  const rocksdb::Slice lower = slice(from);
  const rocksdb::Slice upper = slice(to);
  options.iterate_lower_bound = &lower;
  if (!to.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      state_->database->NewIterator(options, state_->family(space)));
  for (iterator->Seek(lower); iterator->Valid(); iterator->Next()) {
    if (!visit(view(iterator->key()), view(iterator->value()))) return {};
  }
  return check(iterator->status(), "scan");
}

Result<void> Store::write(const StoreBatch& batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return check(state_->database->Write(options, &batch.state_->batch), "write");
}

Result<void> Store::flush() {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  return check(state_->database->Flush(options, state_->families), "flush");
}

Result<void> Store::resume() {
  return check(state_->database->Resume(), "resume");
}

std::uint64_t Store::unflushed_bytes() const {
  return state_->property(rocksdb::DB::Properties::kCurSizeAllMemTables, false);
}

Result<void> Store::compact(std::atomic<bool>& cancelled) {
  const rocksdb::SequenceNumber written = state_->database->GetLatestSequenceNumber();
  if (written == state_->compacted) return {};
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.allow_write_stall = true;
  options.canceled = &cancelled;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kDisable;
  for (rocksdb::ColumnFamilyHandle* family : state_->families) {
    TRY_VOID(check(state_->database->CompactRange(options, family, nullptr, nullptr), "compact"));
  }
  state_->compacted = written;
  return {};
}

}  // namespace godwit::store
