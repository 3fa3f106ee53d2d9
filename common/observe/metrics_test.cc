#include "common/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace godwit::observe {
namespace {

TEST(Metrics, TextIsPrometheusFormat) {
  Metrics metrics;
  metrics
      .counter("godwit_ingress_messages_accepted_total", "Messages acknowledged.",
               {{"tenant", "a\"b\\\n"}})
      .add(3);
  metrics.gauge("godwit_ingress_sessions", "Sessions that are open.").set(2.5);
  Histogram& histogram =
      metrics.histogram("godwit_log_sync_seconds", "Time of one sync.", {0.01, 0.1});
  histogram.observe(0.01);  // le: the bound belongs to its bucket
  histogram.observe(0.05);
  histogram.observe(5);
  EXPECT_EQ(metrics.text(),
            "# HELP godwit_ingress_messages_accepted_total Messages acknowledged.\n"
            "# TYPE godwit_ingress_messages_accepted_total counter\n"
            "godwit_ingress_messages_accepted_total{tenant=\"a\\\"b\\\\\\n\"} 3\n"
            "# HELP godwit_ingress_sessions Sessions that are open.\n"
            "# TYPE godwit_ingress_sessions gauge\n"
            "godwit_ingress_sessions 2.5\n"
            "# HELP godwit_log_sync_seconds Time of one sync.\n"
            "# TYPE godwit_log_sync_seconds histogram\n"
            "godwit_log_sync_seconds_count 3\n"
            "godwit_log_sync_seconds_sum 5.06\n"
            "godwit_log_sync_seconds_bucket{le=\"0.01\"} 1\n"
            "godwit_log_sync_seconds_bucket{le=\"0.1\"} 2\n"
            "godwit_log_sync_seconds_bucket{le=\"+Inf\"} 3\n");
}

TEST(Metrics, ResolvingTwiceGivesTheSameObject) {
  Metrics metrics;
  Counter& one = metrics.counter("godwit_a_total", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(&one, &metrics.counter("godwit_a_total", "A.", {{"y", "2"}, {"x", "1"}}));
  EXPECT_NE(&one, &metrics.counter("godwit_a_total", "A.", {{"x", "2"}, {"y", "2"}}));
}

TEST(MetricsDeathTest, MisuseIsOurs) {
  Metrics metrics;
  (void)metrics.counter("godwit_a_total", "A.");
  EXPECT_DEATH((void)metrics.histogram("godwit_a_total", "A.", {1}), "two types");
  EXPECT_DEATH((void)metrics.counter("godwit_a", "A."), "_total");
  EXPECT_DEATH((void)metrics.gauge("godwit-a", "A."), "metric name");
  EXPECT_DEATH((void)metrics.histogram("godwit_h", "H.", {2, 1}), "bounds");
}

TEST(Metrics, LabelValuesBeyondTheBoundAreCountedTogether) {
  Metrics metrics;
  for (std::size_t i = 0; i < kSeriesMax + 100; ++i) {
    metrics.counter("godwit_a_total", "A.", {{"pool", "p" + std::to_string(i)}}).add();
  }
  EXPECT_EQ(metrics.counter("godwit_a_total", "A.", {{"pool", "other"}}).value(), 100u);
  EXPECT_EQ(metrics.counter("godwit_a_total", "A.", {{"pool", "p0"}}).value(), 1u);
}

TEST(Metrics, ThreadsCountIntoOneSum) {
  Metrics metrics;
  Counter& counter = metrics.counter("godwit_a_total", "A.");
  Gauge& gauge = metrics.gauge("godwit_g", "G.");
  Histogram& histogram = metrics.histogram("godwit_h", "H.", {1});
  std::vector<std::thread> threads;
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
  Metrics metrics;
  double depth = 7;
  {
    const Metrics::Sampled one =
        metrics.sampled("godwit_queue_records", "Waiting.", {}, [&] { return depth; });
    std::optional<Metrics::Sampled> two =
        metrics.sampled("godwit_queue_records", "Waiting.", {}, [] { return 1.0; });
    EXPECT_THAT(metrics.text(), testing::HasSubstr("\ngodwit_queue_records 8\n"));
    Metrics::Sampled moved = *std::move(two);
    two.reset();
    depth = 9;
    EXPECT_THAT(metrics.text(), testing::HasSubstr("\ngodwit_queue_records 10\n"));
    moved = {};
    EXPECT_THAT(metrics.text(), testing::HasSubstr("\ngodwit_queue_records 9\n"));
  }
  EXPECT_EQ(metrics.text(), "");
}

}  // namespace
}  // namespace godwit::observe
