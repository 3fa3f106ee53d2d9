#include "cli/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace godwit::cli::bench {

std::size_t Histogram::index_of(std::uint64_t microseconds) {
  constexpr std::uint64_t kFirst = 1U << kStepBits;
  if (microseconds < kFirst) return static_cast<std::size_t>(microseconds);
  // Values of [2^n, 2^(n+1)) share a row of 64 steps.
  const unsigned shift = static_cast<unsigned>(std::bit_width(microseconds)) - 1 - kStepBits;
  const std::size_t index = ((static_cast<std::size_t>(shift) + 1) << kStepBits) +
                            static_cast<std::size_t>((microseconds >> shift) - kFirst);
  return std::min(index, kSteps - 1);
}

std::uint64_t Histogram::upper_bound_of(std::size_t index) {
  constexpr std::uint64_t kFirst = 1U << kStepBits;
  if (index < kFirst) return index;
  const unsigned shift = static_cast<unsigned>(index >> kStepBits) - 1;
  return ((kFirst + (index & (kFirst - 1)) + 1) << shift) - 1;
}

void Histogram::add(Duration duration) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count(), 0));
  ++counts_[index_of(us)];
  ++count_;
  sum_us_ += us;
  max_us_ = std::max(max_us_, us);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kSteps; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_us_ += other.sum_us_;
  max_us_ = std::max(max_us_, other.max_us_);
}

std::chrono::microseconds Histogram::mean() const {
  return std::chrono::microseconds(count_ == 0 ? 0 : sum_us_ / count_);
}

std::chrono::microseconds Histogram::percentile(double fraction) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < kSteps; ++i) {
    passed += counts_[i];
    if (passed >= wanted && passed != 0)
      return std::chrono::microseconds(std::min(upper_bound_of(i), max_us_));
  }
  return max();
}

}  // namespace godwit::cli::bench
