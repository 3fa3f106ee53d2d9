#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::cli::admin {

// Where the process that runs on a data directory answers: needed when `admin.listen` has port 0. `godwit run`
// writes it when it serves and removes it when it ends; a stale one only leads to an address where nothing answers.
[[nodiscard]] std::filesystem::path address_file(const std::filesystem::path& data_dir);
[[nodiscard]] Result<void> write_address_file(const std::filesystem::path& data_dir,
                                              std::string_view address);
// Errors: no_such_file_or_directory and what else the system says.
[[nodiscard]] Result<std::string> read_address_file(const std::filesystem::path& data_dir);
void remove_address_file(const std::filesystem::path& data_dir);

}  // namespace godwit::cli::admin
