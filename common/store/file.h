#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/store/errc.h"

namespace godwit::store {

// An open file, read and written at offsets.
//
// Errors      kIo, kNoSpace; after a failed write or sync what is on disk from the last sync on is undefined
// Durability  nothing is, until sync() returned well. A failed sync() is never repeated on the same octets:
//             the kernel may have dropped them and say "done" the second time ("fsyncgate", 2018)
// Threads     any, at once; writes to overlapping ranges are the caller's matter
class File {
 public:
  virtual ~File() = default;
  // Fills `into` from `offset`; returns fewer octets only at the end of the file.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset,
                                                 std::span<char> into) const = 0;
  // Writes all pieces, one after the other, from `offset`, with as few system calls as there can be.
  [[nodiscard]] virtual Result<void> write(std::uint64_t offset,
                                           std::span<const std::string_view> pieces) = 0;
  // Data and size are on disk (fdatasync).
  [[nodiscard]] virtual Result<void> sync() = 0;
  [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
};

// Held as long as it lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class Mode {
  kRead,
  kWrite,   // and read; the file exists
  kCreate,  // and read and write; the file is created, or emptied when it exists
};

// The file operations of log and store behind one interface, so that tests can take the power away, fill the
// disk and fail a sync (fake_file_system.h).
//
// Durability  a created, renamed or removed name is durable after sync_directory() of its directory
// Threads     any
class FileSystem {
 public:
  using Path = std::filesystem::path;

  virtual ~FileSystem() = default;
  // Errors: kNotFound, kNoSpace, kIo.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const Path& path, Mode mode) = 0;
  [[nodiscard]] virtual bool exists(const Path& path) const = 0;
  // Names (not paths) in a directory, sorted. kNotFound when there is none.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const Path& directory) const = 0;
  [[nodiscard]] virtual Result<void> remove(const Path& path) = 0;
  // Replaces `to`, atomically.
  [[nodiscard]] virtual Result<void> rename(const Path& from, const Path& to) = 0;
  // With parents; well when it exists.
  [[nodiscard]] virtual Result<void> create_directory(const Path& path) = 0;
  [[nodiscard]] virtual Result<void> sync_directory(const Path& path) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const Path& path) const = 0;
  // kLocked when another holds it. Creates the file, unless `shared`: then kNotFound.
  [[nodiscard]] virtual Result<std::unique_ptr<FileLock>> lock(const Path& path, bool shared) = 0;
};

// The machine's. One for the process.
[[nodiscard]] FileSystem& posix_file_system();

}  // namespace godwit::store
