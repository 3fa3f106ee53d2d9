#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace godwit::cli::bench {

// Counts durations so that percentiles come out within 1.6% (64 steps to each doubling), from 1 us to days.
// Threads: belongs to one; merge() after it ended.
class Histogram {
 public:
  void add(Duration duration);
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::chrono::microseconds max() const { return std::chrono::microseconds(max_us_); }
  [[nodiscard]] std::chrono::microseconds mean() const;
  // The least upper bound of a step below which `fraction` of all lie; 0 when nothing was counted.
  [[nodiscard]] std::chrono::microseconds percentile(double fraction) const;

 private:
  static constexpr unsigned kStepBits = 6;
  static constexpr std::size_t kSteps = (40 - kStepBits + 1) << kStepBits;
  [[nodiscard]] static std::size_t index_of(std::uint64_t microseconds);
  [[nodiscard]] static std::uint64_t upper_bound_of(std::size_t index);

  std::array<std::uint64_t, kSteps> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_us_ = 0;
  std::uint64_t max_us_ = 0;
};

}  // namespace godwit::cli::bench
