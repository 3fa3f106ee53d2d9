#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "common/base/check.h"

namespace godwit {

// A directory of its own for one test, gone with it.
class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-test-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr, "no directory {}", name);
    path_ = name;
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const {
    return path_ / name;
  }
  // Writes a file anew; its path.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view octets) const {
    std::ofstream file(path_ / name, std::ios::binary | std::ios::trunc);
    file << octets;
    file.close();
    CHECK(file.good(), "{} cannot be written", (path_ / name).string());
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace godwit
