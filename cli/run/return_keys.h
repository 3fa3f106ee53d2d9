#pragma once

#include <filesystem>
#include <string_view>

#include "common/base/result.h"
#include "common/report/return_address.h"

namespace godwit::cli::run {

inline constexpr std::string_view kReturnKeysName = "return_keys";  // in data_dir

// The keys of a file (docs/formats/return-address.md). Errors: the file's, report::Errc::kBadKeys.
[[nodiscard]] Result<report::ReturnKeys> read_return_keys(const std::filesystem::path& file);

// The keys of one machine: of the file; made and written (0600, synced, whole or not at all) when
// there is none. One process at a time: call it under the lock on data_dir.
[[nodiscard]] Result<report::ReturnKeys> own_return_keys(const std::filesystem::path& file);

}  // namespace godwit::cli::run
