#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/store/file.h"

namespace godwit::store {

// A file system in memory that knows what was synced, for tests of what a disk can do to us.
//
// lose_power() keeps of each page of 4 KiB that was written since its file's last sync either the old octets or
// the new ones, page by page, at random: not only the last ones are lost. Names that were created, renamed or
// removed since their directory was synced come out as they were after a random prefix of those operations.
// A disk that lies (SyncLie) says that it synced, and did not.
// Files opened before lose_power() answer kIo from then on, so that threads of a process that "died" do nothing.
//
// Threads  any
class FakeFileSystem final : public FileSystem {
 public:
  explicit FakeFileSystem(std::uint64_t seed, std::uint64_t capacity = 1ull << 40);
  ~FakeFileSystem() override;

  // --- What the disk does ---
  enum class Loss {
    kPages,       // as above
    kEverything,  // nothing that was not synced is left: a write cache that was full
  };
  void lose_power(Loss loss = Loss::kPages);
  // A sync of a file whose path contains `part` says "done", and nothing is on disk that was not before; or, with
  // `honest_bytes`, the file's size and its first octets are. Of directories when `part` is empty.
  struct SyncLie {
    std::string part;
    std::optional<std::uint64_t> honest_bytes;
  };
  void lie_about_syncs(std::optional<SyncLie> lie);
  // Nothing is written any more, and lose_power() has yet to come: the moment of the failure.
  void freeze();
  // The process died, the machine did not: what it wrote is there, synced or not.
  void thaw();
  // Total octets of all files.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  [[nodiscard]] std::uint64_t used() const;
  // The next `count` syncs of files whose path contains `part` fail; what they should have synced is lost from
  // the page cache's point of view: a later sync says "done" without it ("fsyncgate").
  void fail_syncs(std::string part, int count);
  void fail_writes(std::string part, int count);
  // Called before each sync of a file, with its path: to wait, or to look.
  void before_sync(std::function<void(const std::string& path)> hook);
  // Turns one bit of a file.
  void flip_bit(const Path& path, std::uint64_t offset, int bit);
  [[nodiscard]] std::string contents(const Path& path) const;
  // At most `count` octets from the beginning of a file, as they are seen now; empty when there is none.
  [[nodiscard]] std::string beginning(const Path& path, std::size_t count) const;
  [[nodiscard]] std::vector<std::string> paths() const;
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  // Octets of all writes that went well, whatever became of their files.
  [[nodiscard]] std::uint64_t written() const { return written_; }

  Result<std::unique_ptr<File>> open(const Path& path, Mode mode) override;
  bool exists(const Path& path) const override;
  Result<std::vector<std::string>> list(const Path& directory) const override;
  Result<void> remove(const Path& path) override;
  Result<void> rename(const Path& from, const Path& to) override;
  Result<void> create_directory(const Path& path) override;
  Result<void> sync_directory(const Path& path) override;
  Result<std::uint64_t> free_bytes(const Path& path) const override;
  Result<std::unique_ptr<FileLock>> lock(const Path& path, bool shared) override;

  struct Node;  // fake_file_system.cc
  struct State;

 private:
  friend class FakeFile;
  friend class FakeLock;
  [[nodiscard]] bool take_failure(std::map<std::string, int>& failures, const std::string& path);

  mutable std::mutex mutex_;
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> capacity_;
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace godwit::store
