#pragma once

#include <cstdint>

namespace godwit::bench {

// What callgrind does not tell apart: a copy of a body is a few instructions, an allocation a hundred.
struct Counts {
  std::uint64_t octets_copied = 0;  // by memcpy and memmove, wherever they are called from
  std::uint64_t allocations =
      0;  // malloc, calloc, realloc, aligned_alloc; operator new is one of them
};

// While one exists instructions, copies and allocations count. Not nested; one thread.
class Counted {
 public:
  explicit Counted(bool counts = true);
  ~Counted();
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  const bool counts_;
};

// Since the last start_counting().
[[nodiscard]] Counts counts();
// Under callgrind: instructions count from now on, too.
void start_counting();
void stop_counting();

}  // namespace godwit::bench
