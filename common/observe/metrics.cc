#include "common/observe/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <ranges>
#include <sstream>
#include <variant>

#include "common/base/check.h"

namespace godwit::observe {

std::size_t cell_of_thread() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t cell = threads.fetch_add(1, std::memory_order_relaxed) % kCells;
  return cell;
}

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

Histogram::Histogram(std::span<const double> bounds) : bounds_(bounds.begin(), bounds.end()) {
  for (Cell& cell : cells_) {
    cell.counts = std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1);
  }
}

void Histogram::observe(double value) {
  Cell& cell = cells_[cell_of_thread()];
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  cell.counts[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  cell.sum.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Sum Histogram::value() const {
  Sum sum{.counts = std::vector<std::uint64_t>(bounds_.size() + 1)};
  for (const Cell& cell : cells_) {
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
      sum.counts[i] += cell.counts[i].load(std::memory_order_relaxed);
    }
    sum.sum += cell.sum.load(std::memory_order_relaxed);
  }
  for (const std::uint64_t count : sum.counts) sum.count += count;
  return sum;
}

namespace {

struct Sample {
  std::uint64_t id = 0;
  std::function<double()> sample;
};
using Series = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                            std::unique_ptr<Histogram>, std::vector<Sample>>;

struct RowSample {
  std::uint64_t id = 0;
  std::function<std::vector<Metrics::Row>()> sample;
};

struct Family {
  const Definition* definition = nullptr;
  std::map<std::vector<std::string>, Series> series;  // by the values of the labels
  std::vector<RowSample> rows;
};

prometheus::MetricType serialized_type(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return prometheus::MetricType::Counter;
    case MetricType::kGauge: return prometheus::MetricType::Gauge;
    case MetricType::kHistogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric labelled(const Definition& definition,
                                  const std::vector<std::string>& values) {
  prometheus::ClientMetric metric;
  for (std::size_t i = 0; i < values.size(); ++i) {
    metric.label.push_back({std::string(definition.labels()[i]), values[i]});
  }
  return metric;
}

prometheus::ClientMetric read(const Definition& definition, const std::vector<std::string>& values,
                              const Series& series) {
  prometheus::ClientMetric metric = labelled(definition, values);
  if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&series)) {
    metric.counter.value = static_cast<double>((*counter)->value());
  } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&series)) {
    metric.gauge.value = (*gauge)->value();
  } else if (const auto* histogram = std::get_if<std::unique_ptr<Histogram>>(&series)) {
    const Histogram::Sum sum = (*histogram)->value();
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < sum.counts.size(); ++i) {
      cumulative += sum.counts[i];
      const auto& bounds = (*histogram)->bounds();
      metric.histogram.bucket.push_back(
          {cumulative, i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity()});
    }
    metric.histogram.sample_count = sum.count;
    metric.histogram.sample_sum = sum.sum;
  } else {
    double total = 0;
    for (const Sample& sample : std::get<std::vector<Sample>>(series)) total += sample.sample();
    metric.counter.value = metric.gauge.value = total;
  }
  return metric;
}

void read_rows(const Family& family, std::vector<prometheus::ClientMetric>& metrics) {
  std::map<std::vector<std::string>, double> sums;
  for (const RowSample& one : family.rows) {
    for (Metrics::Row& row : one.sample()) {
      CHECK(row.values.size() == family.definition->labels().size(), "a row of {} has {} values",
            family.definition->name(), row.values.size());
      if (sums.size() < kSeriesMax || sums.contains(row.values))
        sums[std::move(row.values)] += row.value;
    }
  }
  for (const auto& [values, value] : sums) {
    metrics.push_back(labelled(*family.definition, values));
    metrics.back().gauge.value = value;
  }
}

}  // namespace

struct Metrics::Impl {
  mutable std::mutex mutex;
  std::map<std::string_view, Family> families;
  std::uint64_t next_id = 1;

  Family& family_of(const Definition& definition) {
    Family& family = families.try_emplace(definition.name()).first->second;
    if (family.definition == nullptr) family.definition = &definition;
    CHECK(family.definition == &definition, "metric {} has two definitions", definition.name());
    return family;
  }

  // The series with those values, made by `make` when it is new.
  template <class Kind, class Make>
  Kind& series(const Definition& definition, Values values, Make make) {
    Family& family = family_of(definition);
    CHECK(values.size() == definition.labels().size(), "{} has {} labels, and was given {} values",
          definition.name(), definition.labels().size(), values.size());

    std::vector<std::string> key(values.begin(), values.end());
    auto at = family.series.find(key);
    if (at == family.series.end() && family.series.size() >= kSeriesMax) {
      key.assign(key.size(), "other");
      at = family.series.find(key);
    }
    if (at == family.series.end()) at = family.series.emplace(std::move(key), make()).first;
    Kind* const kind = std::get_if<Kind>(&at->second);
    CHECK(kind != nullptr, "metric {} is sampled and counted", definition.name());
    return *kind;
  }

  void end(std::uint64_t id) {
    const std::lock_guard lock(mutex);
    for (Family& family : families | std::views::values) {
      std::erase_if(family.rows, [id](const RowSample& sample) { return sample.id == id; });
      for (auto at = family.series.begin(); at != family.series.end();) {
        auto* const samples = std::get_if<std::vector<Sample>>(&at->second);
        if (samples != nullptr)
          std::erase_if(*samples, [id](const Sample& sample) { return sample.id == id; });
        at = samples != nullptr && samples->empty() ? family.series.erase(at) : std::next(at);
      }
    }
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(const CounterDefinition& definition, Values values) {
  const std::lock_guard lock(impl_->mutex);
  return *impl_->series<std::unique_ptr<Counter>>(definition, values,
                                                  [] { return std::make_unique<Counter>(); });
}

Gauge& Metrics::gauge(const GaugeDefinition& definition, Values values) {
  const std::lock_guard lock(impl_->mutex);
  return *impl_->series<std::unique_ptr<Gauge>>(definition, values,
                                                [] { return std::make_unique<Gauge>(); });
}

Histogram& Metrics::histogram(const HistogramDefinition& definition, Values values) {
  const std::lock_guard lock(impl_->mutex);
  return *impl_->series<std::unique_ptr<Histogram>>(
      definition, values, [&] { return std::make_unique<Histogram>(definition.bounds()); });
}

Metrics::Sampled Metrics::sampled(const CounterDefinition& definition, Values values,
                                  std::function<double()> sample) {
  return add_sample(definition, values, std::move(sample));
}

Metrics::Sampled Metrics::sampled(const GaugeDefinition& definition, Values values,
                                  std::function<double()> sample) {
  return add_sample(definition, values, std::move(sample));
}

Metrics::Sampled Metrics::add_sample(const Definition& definition, Values values,
                                     std::function<double()> sample) {
  const std::lock_guard lock(impl_->mutex);
  Sampled handle;
  handle.metrics_ = this;
  handle.id_ = impl_->next_id++;
  impl_->series<std::vector<Sample>>(definition, values, [] { return std::vector<Sample>{}; })
      .push_back({handle.id_, std::move(sample)});
  return handle;
}

Metrics::Sampled Metrics::sampled_rows(const GaugeDefinition& definition,
                                       std::function<std::vector<Row>()> sample) {
  const std::lock_guard lock(impl_->mutex);
  Sampled handle;
  handle.metrics_ = this;
  handle.id_ = impl_->next_id++;
  impl_->family_of(definition).rows.push_back({handle.id_, std::move(sample)});
  return handle;
}

Metrics::Sampled& Metrics::Sampled::operator=(Sampled&& other) noexcept {
  if (this != &other) {
    if (metrics_ != nullptr) metrics_->impl_->end(id_);
    metrics_ = std::exchange(other.metrics_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

Metrics::Sampled::~Sampled() {
  if (metrics_ != nullptr) metrics_->impl_->end(id_);
}

std::string Metrics::text() const {
  std::vector<prometheus::MetricFamily> all;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, family] : impl_->families) {
      if (family.series.empty() && family.rows.empty()) continue;
      const Definition& definition = *family.definition;
      prometheus::MetricFamily out{std::string(name),
                                   std::string(definition.help()),
                                   serialized_type(definition.type()),
                                   {}};
      for (const auto& [values, series] : family.series) {
        out.metric.push_back(read(definition, values, series));
      }
      read_rows(family, out.metric);
      if (!out.metric.empty()) all.push_back(std::move(out));
    }
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, all);
  return std::move(text).str();
}

}  // namespace godwit::observe
