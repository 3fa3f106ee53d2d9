#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/capture/store.h"

// The capture's directory as files. Internal to common/capture.
namespace godwit::capture {

[[nodiscard]] std::filesystem::path mail_file(const std::filesystem::path& directory,
                                              const CaptureId& id);
[[nodiscard]] std::filesystem::path metadata_file(const std::filesystem::path& directory,
                                                  const CaptureId& id);

// Errors: kNotFound, kIo.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path);
// Whole or not at all: written beside and renamed. Errors: kIo.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view octets);

// The ids that have a metadata file, oldest first. A directory that is not there has none. Errors: kIo.
[[nodiscard]] Result<std::vector<CaptureId>> ids_in(const std::filesystem::path& directory);

}  // namespace godwit::capture
