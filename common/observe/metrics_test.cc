#include "common/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace godwit::observe {
namespace {

constexpr std::array kOne{1.0};
constexpr std::array kTwo{0.01, 0.1};

TEST(Metrics, TextIsPrometheusFormat) {
  const CounterDefinition accepted{
      "godwit_test_accepted_total", "Messages acknowledged.", {"tenant"}};
  const GaugeDefinition sessions{"godwit_test_sessions", "Sessions that are open."};
  const HistogramDefinition sync{"godwit_test_sync_seconds", "Time of one sync.", kTwo};
  Metrics metrics;
  metrics.counter(accepted, {"a\"b\\\n"}).add(3);
  metrics.gauge(sessions).set(2.5);
  Histogram& histogram = metrics.histogram(sync);
  histogram.observe(0.01);  // le: the bound belongs to its bucket
  histogram.observe(0.05);
  histogram.observe(5);
  EXPECT_EQ(metrics.text(),
            "# HELP godwit_test_accepted_total Messages acknowledged.\n"
            "# TYPE godwit_test_accepted_total counter\n"
            "godwit_test_accepted_total{tenant=\"a\\\"b\\\\\\n\"} 3\n"
            "# HELP godwit_test_sessions Sessions that are open.\n"
            "# TYPE godwit_test_sessions gauge\n"
            "godwit_test_sessions 2.5\n"
            "# HELP godwit_test_sync_seconds Time of one sync.\n"
            "# TYPE godwit_test_sync_seconds histogram\n"
            "godwit_test_sync_seconds_count 3\n"
            "godwit_test_sync_seconds_sum 5.06\n"
            "godwit_test_sync_seconds_bucket{le=\"0.01\"} 1\n"
            "godwit_test_sync_seconds_bucket{le=\"0.1\"} 2\n"
            "godwit_test_sync_seconds_bucket{le=\"+Inf\"} 3\n");
}

TEST(Metrics, ResolvingTwiceGivesTheSameObject) {
  const CounterDefinition definition{"godwit_test_total", "A.", {"x", "y"}};
  Metrics metrics;
  Counter& one = metrics.counter(definition, {"1", "2"});
  EXPECT_EQ(&one, &metrics.counter(definition, {"1", "2"}));
  EXPECT_NE(&one, &metrics.counter(definition, {"2", "1"}));
  EXPECT_NE(&one, &metrics.counter(definition, {"2", "2"}));
}

TEST(MetricsDeathTest, MisuseIsOurs) {
  const CounterDefinition definition{"godwit_test_total", "A.", {"x"}};
  Metrics metrics;
  (void)metrics.counter(definition, {"1"});
  EXPECT_DEATH((void)metrics.counter(definition), "given 0 values");
  EXPECT_DEATH((void)metrics.counter(definition, {"1", "2"}), "given 2 values");
  EXPECT_DEATH((void)metrics.sampled(definition, {"1"}, [] { return 1.0; }), "sampled and counted");
}

TEST(Metrics, LabelValuesBeyondTheBoundAreCountedTogether) {
  const CounterDefinition definition{"godwit_test_total", "A.", {"pool"}};
  Metrics metrics;
  for (std::size_t i = 0; i < kSeriesMax + 100; ++i) {
    metrics.counter(definition, {"p" + std::to_string(i)}).add();
  }
  EXPECT_EQ(metrics.counter(definition, {"other"}).value(), 100u);
  EXPECT_EQ(metrics.counter(definition, {"p0"}).value(), 1u);
}

TEST(Metrics, ThreadsCountIntoOneSum) {
  const CounterDefinition a{"godwit_test_total", "A."};
  const GaugeDefinition g{"godwit_test_g", "G."};
  const HistogramDefinition h{"godwit_test_h", "H.", kOne};
  Metrics metrics;
  Counter& counter = metrics.counter(a);
  Gauge& gauge = metrics.gauge(g);
  Histogram& histogram = metrics.histogram(h);
  std::vector<std::thread> threads;
  threads.reserve(2 * kCells);
  for (std::size_t t = 0; t < 2 * kCells; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter.add();
        histogram.observe(0.5);
        gauge.add(2);
        gauge.subtract(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 2 * kCells * 1000);
  EXPECT_EQ(gauge.value(), 2 * kCells * 1000);
  EXPECT_EQ(histogram.value().count, 2 * kCells * 1000);
  EXPECT_EQ(histogram.value().sum, kCells * 1000.0);
}

TEST(Metrics, SampledValuesAreAskedForAndEndWithTheirHandle) {
  const GaugeDefinition waiting{"godwit_test_records", "Waiting."};
  Metrics metrics;
  double depth = 7;
  {
    const Metrics::Sampled one = metrics.sampled(waiting, {}, [&] { return depth; });
    std::optional<Metrics::Sampled> two = metrics.sampled(waiting, {}, [] { return 1.0; });
    EXPECT_THAT(metrics.text(), testing::HasSubstr("\ngodwit_test_records 8\n"));
    Metrics::Sampled moved = *std::move(two);
    two.reset();
    depth = 9;
    EXPECT_THAT(metrics.text(), testing::HasSubstr("\ngodwit_test_records 10\n"));
    moved = {};
    EXPECT_THAT(metrics.text(), testing::HasSubstr("\ngodwit_test_records 9\n"));
  }
  EXPECT_EQ(metrics.text(), "");
}

TEST(Metrics, RowsComeAndGoWithWhoTellsThem) {
  const GaugeDefinition longest{"godwit_test_queue", "Longest queues.", {"name"}};
  Metrics metrics;
  std::vector<Metrics::Row> rows;
  {
    const Metrics::Sampled one = metrics.sampled_rows(longest, [&] { return rows; });
    EXPECT_EQ(metrics.text(), "") << "no family without a row";
    rows = {{{"b"}, 2}, {{"a"}, 1}};
    const Metrics::Sampled two =
        metrics.sampled_rows(longest, [] { return std::vector<Metrics::Row>{{{"b"}, 5}}; });
    EXPECT_THAT(metrics.text(), testing::EndsWith("godwit_test_queue gauge\n"
                                                  "godwit_test_queue{name=\"a\"} 1\n"
                                                  "godwit_test_queue{name=\"b\"} 7\n"));
    rows.assign(kSeriesMax + 10, {});
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {{"r" + std::to_string(i)}, 1};
    const std::string text = metrics.text();
    EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), 2 + kSeriesMax);
  }
  EXPECT_EQ(metrics.text(), "");
}

}  // namespace
}  // namespace godwit::observe
