#include "cli/bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;

TEST(HistogramTest, Empty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(0.99), 0us);
  EXPECT_EQ(histogram.mean(), 0us);
}

TEST(HistogramTest, OneValueIsEveryPercentile) {
  for (const auto value : {0us, 1us, 63us, 64us, 1000us, 1'000'000us, 10'000'000'000us}) {
    Histogram histogram;
    histogram.add(value);
    EXPECT_EQ(histogram.percentile(0.5), value);
    EXPECT_EQ(histogram.percentile(1), value);
    EXPECT_EQ(histogram.max(), value);
  }
}

TEST(HistogramTest, PercentilesAreWithinAStep) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> values;
  Histogram first;
  Histogram second;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(random() % (1ULL << (random() % 34)));
    values.push_back(value);
    (i % 2 == 0 ? first : second).add(std::chrono::microseconds(value));
  }
  first.merge(second);
  std::ranges::sort(values);
  EXPECT_EQ(first.count(), values.size());
  EXPECT_EQ(first.max().count(), values.back());
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(fraction * 20'000) - 1]);
    const auto got = static_cast<double>(first.percentile(fraction).count());
    EXPECT_GE(got, exact) << fraction;
    EXPECT_LE(got, exact * (1 + 1.0 / 64) + 1) << fraction;
  }
}

}  // namespace
}  // namespace godwit::cli::bench
