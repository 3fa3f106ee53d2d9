#include "cli/run/return_keys.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace godwit::cli::run {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

std::unexpected<Error> failed(const std::filesystem::path& file) {
  return fail(std::error_code(errno, std::generic_category()), file.string());
}

Result<void> write_whole(const std::filesystem::path& file, std::string_view text) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return failed(file);
  const bool written =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor) == 0;
  Result<void> result;
  if (!written) result = failed(file);
  ::close(descriptor);
  return result;
}

// A name is there after a power cut only when its directory was synced.
Result<void> sync_directory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed(directory);
  Result<void> result;
  if (::fsync(descriptor) != 0) result = failed(directory);
  ::close(descriptor);
  return result;
}

}  // namespace

Result<report::ReturnKeys> read_return_keys(const std::filesystem::path& file) {
  std::FILE* input = std::fopen(file.c_str(), "rb");
  if (input == nullptr) return failed(file);
  std::string text(kFileBytesMax, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), input));
  const bool broken = std::ferror(input) != 0;
  std::fclose(input);
  if (broken) return failed(file);
  auto keys = report::ReturnKeys::parse(text);
  if (!keys) return fail(std::move(keys).error().within(file.string()));
  return keys;
}

Result<report::ReturnKeys> own_return_keys(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::exists(file, error)) return read_return_keys(file);
  if (error) return fail(error, file.string());
  report::ReturnKey key{.id = 1, .secret = std::string(report::kReturnSecretBytes, '\0')};
  randombytes_buf(key.secret.data(), key.secret.size());
  std::filesystem::path fresh = file;
  fresh += ".new";
  TRY_VOID(write_whole(fresh, report::ReturnKeys::line(key)));
  std::filesystem::rename(fresh, file, error);
  if (error) return fail(error, file.string());
  TRY_VOID(sync_directory(file.parent_path()));
  return read_return_keys(file);
}

}  // namespace godwit::cli::run
