#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/store/errc.h"

namespace godwit::observe {
class Metrics;
}

namespace godwit::store {

class FileSystem;
class Store;

// The store's key spaces. Each is ordered by octets and has a column family of its own.
enum class Space : std::uint8_t { kMeta, kTables, kIndex };
inline constexpr int kSpaces = 3;

// Changes that are applied together or not at all, in order.
// Threads: belongs to one. Borrows the store.
class StoreBatch {
 public:
  explicit StoreBatch(const Store& store);
  ~StoreBatch();
  StoreBatch(StoreBatch&&) noexcept;
  StoreBatch& operator=(StoreBatch&&) noexcept;

  void put(Space space, std::string_view key, std::string_view value);
  void put(Space space, std::string_view key, std::span<const std::string_view> value_pieces);
  void erase(Space space, std::string_view key);
  void erase_range(Space space, std::string_view from, std::string_view to);
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t bytes() const;
  void clear();

 private:
  friend class Store;
  struct State;
  std::unique_ptr<State> state_;
};

struct StoreOptions {
  std::filesystem::path directory;
  bool create = false;     // false: there is one, and it is an error when there is not
  bool read_only = false;  // never writes; beside no writer
  std::uint64_t write_buffer_bytes = 64ull << 20;
  FileSystem* file_system = nullptr;  // nullptr: the machine's
  observe::Metrics* metrics =
      nullptr;  // optional; outlives the store. Of several stores the sum is shown
};

// A small ordered key-value store: RocksDB without a write-ahead log of its own, because the log is one.
//
// Durability  write() is visible at once and durable after the next flush() that returned well. A crash takes
//             the store back to a moment between two write() calls, the same one in every space
// Errors      kCorrupt when it does not open or its files do not have their checksums; kNoSpace when the disk is
//             full (try again: the store goes on when there is room); kIo
// Threads     any
class Store {
 public:
  // Blocks. Errors: kNotFound (not there and not `create`), kLocked, kCorrupt, kIo.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] Result<std::optional<std::string>> get(Space space, std::string_view key) const;
  // Visits [from, to) in order, as it was when the call began, until `visit` returns false. Empty `to`: the end.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  [[nodiscard]] Result<void> scan(Space space, std::string_view from, std::string_view to,
                                  const Visit& visit) const;

  [[nodiscard]] Result<void> write(const StoreBatch& batch);
  // Blocks until everything written before is on disk.
  [[nodiscard]] Result<void> flush();
  // After an error of write() or flush(): tries again what failed. Nothing is tried again without being asked.
  [[nodiscard]] Result<void> resume();
  // What is in memory only, and will take room on the disk.
  [[nodiscard]] std::uint64_t unflushed_bytes() const;
  // Gives back the room of what was deleted or replaced, without moving large values. Returns at once when nothing
  // was written since the last time. Blocks, beside writes; ends early once `cancelled`.
  [[nodiscard]] Result<void> compact(std::atomic<bool>& cancelled);

 private:
  friend class StoreBatch;
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace godwit::store
