#include "common/log/identity.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "common/base/crc32c.h"
#include "common/log/errc.h"

namespace godwit::log {
namespace {

constexpr const char* kName = "identity";
constexpr const char* kNewName = "identity.new";

Error as_log_error(const Error& error) {
  const bool full = error.code == store::Errc::kNoSpace;
  return {full ? Errc::kNoSpace : Errc::kIo, error.to_string()};
}

std::string encode(const Identity& identity) {
  const std::string text = fmt::format("godwit log 1\nsegment_bytes {}\npartitions {}\n",
                                       identity.segment_bytes, identity.partitions);
  return text + fmt::format("crc32c {:08x}\n", crc32c(text));
}

}  // namespace

Result<std::optional<Identity>> read_identity(store::FileSystem& files,
                                              const std::filesystem::path& directory) {
  if (!files.exists(directory / kName)) return std::nullopt;
  const auto file = files.open(directory / kName, store::Mode::kRead);
  if (!file) return fail(as_log_error(file.error()));
  std::string text(256, '\0');
  const auto count = (*file)->read(0, text);
  if (!count) return fail(as_log_error(count.error()));
  text.resize(*count);
  Identity identity;
  if (std::sscanf(text.c_str(), "godwit log 1\nsegment_bytes %u\npartitions %u\n",
                  &identity.segment_bytes, &identity.partitions) != 2 ||
      encode(identity) != text) {
    return fail(Errc::kCorrupt, (directory / kName).string() + " is not what was written");
  }
  return identity;
}

Result<void> write_identity(store::FileSystem& files, const std::filesystem::path& directory,
                            const Identity& identity) {
  const auto written = [&]() -> Result<void> {
    TRY(const auto file, files.open(directory / kNewName, store::Mode::kCreate));
    const std::string text = encode(identity);
    const std::string_view piece = text;
    TRY_VOID(file->write(0, std::span(&piece, 1)));
    TRY_VOID(file->sync());
    TRY_VOID(files.rename(directory / kNewName, directory / kName));
    return files.sync_directory(directory);
  }();
  if (!written) return fail(as_log_error(written.error()));
  return {};
}

}  // namespace godwit::log
