#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

// What a metric is: said once, beside the code that counts it.
//
//     const observe::CounterDefinition kAuth{"godwit_ingress_auth_total", "Logins.", {"result"}};
//     ...
//     metrics.counter(kAuth, {"failed"}).add();
//
// A definition lists itself: all() has every one that is linked, whether anything was counted yet or not. That is
// what `godwit metrics` prints, and docs/metrics.md is.
//
// Names    godwit_<role or part>_<noun>_<unit>[_total]; lower-case letters, digits, underscores. Counters, and only
//          they, end in _total. Of two definitions with one name, and of names against these rules: CHECK
// Help     one sentence; what it is not is worth as much as what it is
// Labels   closed sets (provider, pool, source, class), at most kLabelsMax; no addresses or ids, and domains only
//          where their number is bounded (Metrics::sampled_rows)
//          docs/metrics.md says what each means (cli/metrics)
// Lifetime of the process; those of tests may be local
// Threads  made and destroyed where nobody else is, at the start or in a test; read by any
namespace godwit::observe {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };
[[nodiscard]] std::string_view type_name(MetricType type);  // "counter"

class Definition {
 public:
  static constexpr std::size_t kLabelsMax = 4;
  Definition(const Definition&) = delete;
  Definition& operator=(const Definition&) = delete;

  [[nodiscard]] MetricType type() const { return type_; }
  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] std::string_view help() const { return help_; }
  [[nodiscard]] std::span<const std::string_view> labels() const {
    return std::span(labels_).first(label_count_);
  }
  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }  // of a histogram

  // By name.
  [[nodiscard]] static std::vector<const Definition*> all();

 protected:
  using Names = std::initializer_list<std::string_view>;
  // `bounds` and all text outlive it.
  Definition(MetricType type, std::string_view name, std::string_view help, Names labels,
             std::span<const double> bounds = {});
  ~Definition();

 private:
  MetricType type_;
  std::string_view name_;
  std::string_view help_;
  std::array<std::string_view, kLabelsMax> labels_;
  std::size_t label_count_ = 0;
  std::span<const double> bounds_;
  const Definition* next_;
};

class CounterDefinition : public Definition {
 public:
  CounterDefinition(std::string_view name, std::string_view help, Names labels = {})
      : Definition(MetricType::kCounter, name, help, labels) {}
};

class GaugeDefinition : public Definition {
 public:
  GaugeDefinition(std::string_view name, std::string_view help, Names labels = {})
      : Definition(MetricType::kGauge, name, help, labels) {}
};

class HistogramDefinition : public Definition {
 public:
  // `bounds` grow.
  HistogramDefinition(std::string_view name, std::string_view help, std::span<const double> bounds,
                      Names labels = {})
      : Definition(MetricType::kHistogram, name, help, labels, bounds) {}
};

// Seconds of disk and network: a sync, a commit, an SMTP dialogue.
inline constexpr auto kLatencyBounds = std::to_array<double>(
    {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300});
// Seconds of mail that waits: a tenth of a second to the five days after which it expires.
inline constexpr auto kQueueBounds = std::to_array<double>(
    {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14'400, 43'200, 86'400, 172'800, 432'000});

}  // namespace godwit::observe
