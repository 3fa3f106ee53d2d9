#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/store/file.h"

namespace godwit::store {
namespace {

Error from_errno(int error, std::string_view what) {
  Errc code = Errc::kIo;
  if (error == ENOSPC || error == EDQUOT) code = Errc::kNoSpace;
  if (error == ENOENT) code = Errc::kNotFound;
  return {code, std::string(what) + ": " + std::generic_category().message(error)};
}

std::unexpected<Error> failed(std::string_view what) {
  return fail(from_errno(errno, what));
}

// Writes what `vectors` name, all of it; advances through them as the kernel takes less.
Result<void> write_vectors(int descriptor, std::uint64_t offset, std::span<iovec> vectors) {
  while (!vectors.empty()) {
    const ssize_t written = ::pwritev(descriptor, vectors.data(), static_cast<int>(vectors.size()),
                                      static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return failed("write");
    }
    offset += static_cast<std::uint64_t>(written);
    auto left = static_cast<std::size_t>(written);
    while (!vectors.empty() && left >= vectors.front().iov_len) {
      left -= vectors.front().iov_len;
      vectors = vectors.subspan(1);
    }
    if (!vectors.empty()) {
      vectors.front().iov_base = static_cast<char*>(vectors.front().iov_base) + left;
      vectors.front().iov_len -= left;
    }
  }
  return {};
}

class PosixFile final : public File {
 public:
  explicit PosixFile(int descriptor) : descriptor_(descriptor) {}
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t count = ::pread(descriptor_, into.data() + done, into.size() - done,
                                    static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failed("read");
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Result<void> write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    std::array<iovec, IOV_MAX> vectors;
    while (!pieces.empty()) {
      const std::size_t count = std::min<std::size_t>(pieces.size(), vectors.size());
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
        bytes += pieces[i].size();
      }
      TRY_VOID(write_vectors(descriptor_, offset, std::span(vectors).first(count)));
      offset += bytes;
      pieces = pieces.subspan(count);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(descriptor_) != 0) return failed("fdatasync");
    return {};
  }
  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) return failed("truncate");
    return {};
  }
  Result<std::uint64_t> size() const override {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) return failed("stat");
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  int descriptor_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}
  ~PosixLock() override { ::close(descriptor_); }
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;

 private:
  int descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const Path& path, Mode mode) override {
    int flags = O_CLOEXEC;
    if (mode == Mode::kRead) flags |= O_RDONLY;
    if (mode == Mode::kWrite) flags |= O_RDWR;
    if (mode == Mode::kCreate) flags |= O_RDWR | O_CREAT | O_TRUNC;
    const int descriptor = ::open(path.c_str(), flags, 0640);
    if (descriptor < 0) return failed(path.string());
    return std::make_unique<PosixFile>(descriptor);
  }

  bool exists(const Path& path) const override { return ::access(path.c_str(), F_OK) == 0; }

  Result<std::vector<std::string>> list(const Path& directory) const override {
    DIR* handle = ::opendir(directory.c_str());
    if (handle == nullptr) return failed(directory.string());
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(handle)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(handle);
    std::ranges::sort(names);
    return names;
  }

  Result<void> remove(const Path& path) override {
    if (::unlink(path.c_str()) != 0) return failed(path.string());
    return {};
  }

  Result<void> rename(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed(from.string());
    return {};
  }

  Result<void> create_directory(const Path& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return fail(from_errno(error.value(), path.string()));
    return {};
  }

  Result<void> sync_directory(const Path& path) override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return failed(path.string());
    const bool synced = ::fsync(descriptor) == 0;
    const int error = errno;
    ::close(descriptor);
    if (!synced) return fail(from_errno(error, path.string()));
    return {};
  }

  Result<std::uint64_t> free_bytes(const Path& path) const override {
    struct statvfs status{};
    if (::statvfs(path.c_str(), &status) != 0) return failed(path.string());
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> lock(const Path& path, bool shared) override {
    const int flags = shared ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC;
    const int descriptor = ::open(path.c_str(), flags, 0640);
    if (descriptor < 0) return failed(path.string());
    if (::flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
      const int error = errno;
      ::close(descriptor);
      if (error == EWOULDBLOCK) return fail(Errc::kLocked, path.string());
      return fail(from_errno(error, path.string()));
    }
    return std::make_unique<PosixLock>(descriptor);
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem instance;
  return instance;
}

}  // namespace godwit::store
