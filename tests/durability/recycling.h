#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "common/store/fake_file_system.h"

namespace godwit::durability {

// How often each segment file was used and made free again, as the disk shows it: not by the log's own count.
//
// Threads  any
class Recycling {
 public:
  explicit Recycling(const store::FakeFileSystem& files) : files_(files) {}

  // A file is about to be synced.
  void syncing(const std::string& path);

  // Files that were in use at some time and are there still, and how often each was made free.
  [[nodiscard]] std::map<std::string, std::uint64_t> by_file() const;
  // The least of them; 0 when there is none.
  [[nodiscard]] std::uint64_t least() const;

 private:
  const store::FakeFileSystem& files_;
  mutable std::mutex mutex_;
  std::set<std::string> in_use_;
  std::map<std::string, std::uint64_t> recycled_;
};

}  // namespace godwit::durability
