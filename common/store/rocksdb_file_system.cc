#include "common/store/rocksdb_file_system.h"

#include <rocksdb/env.h>

#include <rocksdb/file_system.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace godwit::store {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus to_status(const Error& error) {
  if (error.code == Errc::kNotFound) return IOStatus::NotFound(error.to_string());
  if (error.code == Errc::kNoSpace) return IOStatus::NoSpace(error.to_string());
  return IOStatus::IOError(error.to_string());
}
template <class T>
IOStatus to_status(const Result<T>& result) {
  return result ? IOStatus::OK() : to_status(result.error());
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    const auto count = file_->read(offset_, {scratch, n});
    if (!count) return to_status(count);
    offset_ += *count;
    *result = Slice(scratch, *count);
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    const auto count = file_->read(offset, {scratch, n});
    if (!count) return to_status(count);
    *result = Slice(scratch, *count);
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(std::unique_ptr<File> file, std::uint64_t size)
      : file_(std::move(file)), size_(size) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    const std::string_view piece(data.data(), data.size());
    const auto written = file_->write(size_, std::span(&piece, 1));
    if (written) size_ += data.size();
    return to_status(written);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    const auto truncated = file_->truncate(size);
    if (truncated) size_ = size;
    return to_status(truncated);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return to_status(file_->sync()); }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t size_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return to_status(files_.sync_directory(path_));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FileSystem& files_;
  std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::unique_ptr<store::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<store::FileLock> lock_;
};

class NoLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  size_t GetLogFileSize() const override { return 0; }
};

class RocksdbFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit RocksdbFileSystem(store::FileSystem& files)
      : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()), files_(files) {}
  const char* Name() const override { return "GodwitFiles"; }

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    auto file = files_.open(path, Mode::kRead);
    if (file) *result = std::make_unique<SequentialFile>(*std::move(file));
    return to_status(file);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    auto file = files_.open(path, Mode::kRead);
    if (file) *result = std::make_unique<RandomAccessFile>(*std::move(file));
    return to_status(file);
  }
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    auto file = files_.open(path, Mode::kCreate);
    if (file) *result = std::make_unique<WritableFile>(*std::move(file), 0);
    return to_status(file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* context) override {
    if (!files_.exists(path)) return NewWritableFile(path, options, result, context);
    auto file = files_.open(path, Mode::kWrite);
    if (!file) return to_status(file);
    const auto size = (*file)->size();
    if (!size) return to_status(size);
    *result = std::make_unique<WritableFile>(*std::move(file), *size);
    return IOStatus::OK();
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                             const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                             IODebugContext* context) override {
    if (const auto renamed = files_.rename(old_path, path); !renamed) return to_status(renamed);
    return NewWritableFile(path, options, result, context);
  }
  IOStatus NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("random read and write");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    *result = std::make_unique<Directory>(files_, path);
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return files_.exists(path) ? IOStatus::OK() : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* names,
                       IODebugContext*) override {
    auto listed = files_.list(path);
    if (listed) *names = *listed;
    return to_status(listed);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_status(files_.remove(path));
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_status(files_.create_directory(path));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_status(files_.create_directory(path));
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_status(files_.remove(path));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    const auto file = files_.open(path, Mode::kRead);
    if (!file) return to_status(file);
    const auto found = (*file)->size();
    if (found) *size = *found;
    return to_status(found);
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return to_status(files_.rename(from, to));
  }
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&,
                    IODebugContext*) override {
    return IOStatus::NotSupported("link");
  }
  IOStatus NumFileLinks(const std::string&, const IOOptions&, uint64_t*, IODebugContext*) override {
    return IOStatus::NotSupported("link");
  }
  IOStatus AreFilesSame(const std::string&, const std::string&, const IOOptions&, bool*,
                        IODebugContext*) override {
    return IOStatus::NotSupported("link");
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    auto held = files_.lock(path, /*shared=*/false);
    if (held) *lock = new Lock(*std::move(held));
    return to_status(held);
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* result,
                     IODebugContext*) override {
    *result = std::make_shared<NoLogger>();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                           IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, uint64_t* bytes,
                        IODebugContext*) override {
    const auto found = files_.free_bytes(path);
    if (found) *bytes = *found;
    return to_status(found);
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                       IODebugContext*) override {
    *is_directory = files_.list(path).has_value();
    return IOStatus::OK();
  }

 private:
  store::FileSystem& files_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_rocksdb_env(FileSystem& files) {
  return rocksdb::NewCompositeEnv(std::make_shared<RocksdbFileSystem>(files));
}

}  // namespace godwit::store
