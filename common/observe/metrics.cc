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

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {
  CHECK(std::ranges::is_sorted(bounds_, std::less_equal<>{}), "bucket bounds must grow");
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

std::vector<double> latency_bounds() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

std::vector<double> size_bounds() {
  std::vector<double> bounds;
  for (double bound = 256; bound <= 64.0 * 1024 * 1024; bound *= 4) bounds.push_back(bound);
  return bounds;
}

namespace {

using LabelText = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  std::uint64_t id = 0;
  std::function<double()> sample;
};
using Series = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                            std::unique_ptr<Histogram>, std::vector<Sample>>;

struct Family {
  std::string help;
  prometheus::MetricType type = prometheus::MetricType::Gauge;
  std::map<LabelText, Series> series;
};

bool is_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

prometheus::ClientMetric read(const LabelText& labels, const Series& series) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
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

}  // namespace

struct Metrics::Impl {
  mutable std::mutex mutex;
  std::map<std::string, Family, std::less<>> families;
  std::uint64_t next_id = 1;

  // The series of that name and labels, made by `make` when it is new.
  template <class Kind, class Make>
  Kind& series(std::string_view name, std::string_view help, prometheus::MetricType type,
               Labels labels, Make make) {
    CHECK(is_name(name), "metric name {}", name);
    const auto found = families.find(name);
    Family& family = found != families.end()
                         ? found->second
                         : families.emplace(std::string(name), Family{std::string(help), type, {}})
                               .first->second;
    CHECK(family.type == type, "metric {} is of two types", name);

    LabelText text;
    for (const auto& [label, value] : labels) {
      CHECK(is_name(label), "label name {} of {}", label, name);
      text.emplace_back(label, value);
    }
    std::ranges::sort(text);
    auto at = family.series.find(text);
    if (at == family.series.end() && family.series.size() >= kSeriesMax) {
      for (auto& [label, value] : text) value = "other";
      at = family.series.find(text);
    }
    if (at == family.series.end()) at = family.series.emplace(std::move(text), make()).first;
    Kind* const kind = std::get_if<Kind>(&at->second);
    CHECK(kind != nullptr, "metric {} is of two kinds", name);
    return *kind;
  }

  void end(std::uint64_t id) {
    const std::lock_guard lock(mutex);
    for (Family& family : families | std::views::values) {
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

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
  CHECK(name.ends_with("_total"), "the counter {} does not end in _total", name);
  const std::lock_guard lock(impl_->mutex);
  return *impl_->series<std::unique_ptr<Counter>>(name, help, prometheus::MetricType::Counter,
                                                  labels,
                                                  [] { return std::make_unique<Counter>(); });
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
  CHECK(!name.ends_with("_total"), "the gauge {} ends in _total", name);
  const std::lock_guard lock(impl_->mutex);
  return *impl_->series<std::unique_ptr<Gauge>>(name, help, prometheus::MetricType::Gauge, labels,
                                                [] { return std::make_unique<Gauge>(); });
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::vector<double> bounds, Labels labels) {
  const std::lock_guard lock(impl_->mutex);
  return *impl_->series<std::unique_ptr<Histogram>>(
      name, help, prometheus::MetricType::Histogram, labels,
      [&] { return std::make_unique<Histogram>(std::move(bounds)); });
}

Metrics::Sampled Metrics::sampled(std::string_view name, std::string_view help, Labels labels,
                                  std::function<double()> sample) {
  const auto type =
      name.ends_with("_total") ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  const std::lock_guard lock(impl_->mutex);
  Sampled handle;
  handle.metrics_ = this;
  handle.id_ = impl_->next_id++;
  impl_->series<std::vector<Sample>>(name, help, type, labels, [] { return std::vector<Sample>{}; })
      .push_back({handle.id_, std::move(sample)});
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
      if (family.series.empty()) continue;
      prometheus::MetricFamily out{name, family.help, family.type, {}};
      for (const auto& [labels, series] : family.series) out.metric.push_back(read(labels, series));
      all.push_back(std::move(out));
    }
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, all);
  return std::move(text).str();
}

}  // namespace godwit::observe
