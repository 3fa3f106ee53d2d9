#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/observe/definition.h"

// Counters, gauges and histograms, written by many threads and summed when somebody scrapes.
//
// A component has one metrics.h whose methods are events and which resolves its metrics once, at
// the start; what they are is defined once, in its metrics.cc (definition.h):
//
//     const observe::CounterDefinition kAccepted{"godwit_ingress_messages_accepted_total",
//                                                "Messages acknowledged.", {"kind"}};
//
//     IngressMetrics::IngressMetrics(observe::Metrics& metrics)
//         : relayed_(metrics.counter(kAccepted, {"relay"})) {}
//
// Labels   the values, in the order of the definition's labels. A family takes kSeriesMax series; what comes later
//          is counted in one series whose label values are "other".
// Threads  any, for everything. add() and observe() are an atomic addition to the calling thread's
//          own cache line; resolving and scraping take a lock.
namespace godwit::observe {

inline constexpr std::size_t kCells = 16;        // threads beyond share cells: slower, not wrong
inline constexpr std::size_t kSeriesMax = 4096;  // of one family; a counter takes 1 KiB

// The calling thread's cell, 0..kCells-1; threads get them in turn.
[[nodiscard]] std::size_t cell_of_thread();

class Counter {
 public:
  void add(std::uint64_t count = 1) {
    cells_[cell_of_thread()].value.fetch_add(count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Cell, kCells> cells_;
};

// A level: set by its one owner, or moved up and down by many.
class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
  void subtract(double by) { value_.fetch_sub(by, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);  // which grow

  void observe(double value);
  void observe(Duration value) { observe(std::chrono::duration<double>(value).count()); }

  struct Sum {
    std::vector<std::uint64_t> counts;  // of each bucket, not cumulative; the last is +Inf
    std::uint64_t count = 0;
    double sum = 0;
  };
  [[nodiscard]] Sum value() const;
  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }

 private:
  struct alignas(64) Cell {
    std::atomic<double> sum{0};
    std::unique_ptr<std::atomic<std::uint64_t>[]> counts;
  };
  std::vector<double> bounds_;
  std::array<Cell, kCells> cells_;
};

// All metrics of a process (a test makes its own). References it gives out live as long as it does.
// Asking again for the same definition and values gives the same object; asking for a sampled one, or with another
// number of values than the definition has labels, is a CHECK.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  using Values = std::initializer_list<std::string_view>;
  [[nodiscard]] Counter& counter(const CounterDefinition& definition, Values values = {});
  [[nodiscard]] Gauge& gauge(const GaugeDefinition& definition, Values values = {});
  [[nodiscard]] Histogram& histogram(const HistogramDefinition& definition, Values values = {});

  // A gauge or a counter whose value is asked for at each scrape, on the scraping thread, under the
  // registry's lock: it must be quick and must not call the registry. Of several with the same
  // values the sum is told. The handle ends it: when its destructor returns, `sample` is not running
  // and will not run again.
  class [[nodiscard]] Sampled {
   public:
    Sampled() = default;
    Sampled(Sampled&& other) noexcept
        : metrics_(std::exchange(other.metrics_, nullptr)), id_(other.id_) {}
    Sampled& operator=(Sampled&& other) noexcept;
    ~Sampled();

   private:
    friend class Metrics;
    Metrics* metrics_ = nullptr;
    std::uint64_t id_ = 0;
  };
  Sampled sampled(const CounterDefinition& definition, Values values,
                  std::function<double()> sample);
  Sampled sampled(const GaugeDefinition& definition, Values values, std::function<double()> sample);

  // A gauge whose label values come and go, such as the longest of many queues: its rows are asked
  // for at each scrape, as above. Who makes them bounds their number; beyond kSeriesMax of a family
  // they are not told.
  struct Row {
    std::vector<std::string> values;
    double value = 0;
  };
  Sampled sampled_rows(const GaugeDefinition& definition, std::function<std::vector<Row>()> sample);

  // The Prometheus text format, version 0.0.4, families by name.
  [[nodiscard]] std::string text() const;

 private:
  friend class Sampled;
  struct Impl;
  Sampled add_sample(const Definition& definition, Values values, std::function<double()> sample);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::observe
