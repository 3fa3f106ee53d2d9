#include "cli/run/mounted_folders.h"

#include <system_error>
#include <utility>

namespace godwit::cli::run {
namespace {

// Empty: there is no such link.
std::filesystem::path shown_by(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::read_symlink(folder / "..data", error);
}

}  // namespace

MountedFolders::MountedFolders(const std::vector<std::filesystem::path>& files) {
  for (const std::filesystem::path& file : files) {
    if (file.empty()) continue;
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
    shown_.try_emplace(folder, shown_by(folder));
  }
}

bool MountedFolders::changed() {
  bool any = false;
  for (auto& [folder, before] : shown_) {
    std::filesystem::path now = shown_by(folder);
    if (now.empty() || now == before) continue;
    before = std::move(now);
    any = true;
  }
  return any;
}

}  // namespace godwit::cli::run
