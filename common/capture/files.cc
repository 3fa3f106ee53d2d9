#include "common/capture/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/capture/errc.h"

namespace godwit::capture {
namespace {

constexpr std::string_view kMetadataSuffix = ".json";

std::unexpected<Error> io_error(const std::filesystem::path& path) {
  if (errno == ENOENT) return fail(Errc::kNotFound, path.string());
  return fail(Errc::kIo, path.string() + " (" + std::strerror(errno) + ")");
}

// A descriptor that closes itself.
class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

bool write_all(int file, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(file, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::filesystem::path mail_file(const std::filesystem::path& directory, const CaptureId& id) {
  return directory / (id.to_text() + ".eml");
}

std::filesystem::path metadata_file(const std::filesystem::path& directory, const CaptureId& id) {
  return directory / (id.to_text() + std::string(kMetadataSuffix));
}

Result<std::string> read_file(const std::filesystem::path& path) {
  const File file(path, O_RDONLY);
  if (file.get() < 0) return io_error(path);
  std::string octets;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t read = ::read(file.get(), buffer, sizeof buffer);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return io_error(path);
    if (read == 0) return octets;
    octets.append(buffer, static_cast<std::size_t>(read));
  }
}

Result<void> write_file(const std::filesystem::path& path, std::string_view octets) {
  std::filesystem::path beside = path;
  beside += ".new";
  {
    const File file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.get() < 0 || !write_all(file.get(), octets)) {
      const auto error = io_error(beside);
      ::unlink(beside.c_str());
      return error;
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    const auto error = io_error(path);
    ::unlink(beside.c_str());
    return error;
  }
  return {};
}

Result<std::vector<CaptureId>> ids_in(const std::filesystem::path& directory) {
  std::vector<CaptureId> ids;
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  if (error == std::errc::no_such_file_or_directory) return ids;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::filesystem::path& path = entries->path();
    if (path.extension() != kMetadataSuffix) continue;
    if (const auto id = CaptureId::from_text(path.stem().string())) ids.push_back(*id);
  }
  if (error) return fail(Errc::kIo, directory.string() + " (" + error.message() + ")");
  std::ranges::sort(ids);
  return ids;
}

}  // namespace godwit::capture
