#include "cli/admin/address_file.h"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace godwit::cli::admin {
namespace {

std::unexpected<Error> system_error(const std::filesystem::path& path) {
  return fail(std::error_code(errno == 0 ? EIO : errno, std::generic_category()), path.string());
}

}  // namespace

std::filesystem::path address_file(const std::filesystem::path& data_dir) {
  return data_dir / "admin.address";
}

Result<void> write_address_file(const std::filesystem::path& data_dir, std::string_view address) {
  const std::filesystem::path path = address_file(data_dir);
  std::filesystem::path beside = path;
  beside += ".new";
  errno = 0;
  {
    std::ofstream file(beside, std::ios::trunc);
    file << address << '\n';
    if (!file.flush()) return system_error(beside);
  }
  std::error_code error;
  std::filesystem::rename(beside, path, error);
  if (error) return fail(error, path.string());
  return {};
}

Result<std::string> read_address_file(const std::filesystem::path& data_dir) {
  const std::filesystem::path path = address_file(data_dir);
  errno = 0;
  std::ifstream file(path);
  std::string address;
  if (!std::getline(file, address)) return system_error(path);
  return address;
}

void remove_address_file(const std::filesystem::path& data_dir) {
  std::error_code ignored;
  std::filesystem::remove(address_file(data_dir), ignored);
}

}  // namespace godwit::cli::admin
