#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include "common/audit/fact.h"
#include "common/base/result.h"

namespace godwit::audit {

// Sorts more facts than fit in memory: an external merge sort.
//
// Limits    holds memory_bytes_max of facts; each time that is full, it writes them as a sorted run to one
//           unlinked temporary file. Merging holds 64 KiB of each run
// Errors    kSpill
// Threads   one at a time
class FactSorter {
 public:
  FactSorter(std::size_t memory_bytes_max, std::filesystem::path spill_directory);
  ~FactSorter();
  FactSorter(FactSorter&& other) noexcept;
  FactSorter& operator=(FactSorter&&) = delete;

  [[nodiscard]] Result<void> add(const Fact& fact);
  // Visits every fact in order, and ends the sorter.
  [[nodiscard]] Result<void> drain(const std::function<void(const Fact&)>& visit);
  [[nodiscard]] std::size_t runs() const { return runs_.size(); }

 private:
  struct Run {
    std::uint64_t first = 0;  // facts before it in the file
    std::uint64_t count = 0;
  };
  class RunReader;

  [[nodiscard]] Result<void> spill();
  [[nodiscard]] Error failure(const char* what) const;

  std::size_t facts_max_;
  std::filesystem::path directory_;
  std::vector<Fact> facts_;
  std::vector<Run> runs_;
  int file_ = -1;
};

}  // namespace godwit::audit
