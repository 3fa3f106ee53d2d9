#include "common/observe/definition.h"

#include <algorithm>
#include <functional>
#include <ranges>

#include "common/base/check.h"

namespace godwit::observe {
namespace {

// Definitions are made before main(), in no order that is known: this is there before the first.
constinit const Definition* newest = nullptr;

bool is_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

}  // namespace

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kHistogram: return "histogram";
  }
  return "";
}

Definition::Definition(MetricType type, std::string_view name, std::string_view help, Names labels,
                       std::span<const double> bounds)
    : type_(type),
      name_(name),
      help_(help),
      label_count_(labels.size()),
      bounds_(bounds),
      next_(newest) {
  CHECK(is_name(name), "metric name {}", name);
  CHECK(name.ends_with("_total") == (type == MetricType::kCounter),
        "{}: counters end in _total, and nothing else does", name);
  CHECK(help.ends_with('.'), "{}: its help is a sentence", name);
  CHECK(labels.size() <= kLabelsMax, "{} has {} labels", name, labels.size());
  CHECK(std::ranges::all_of(labels, is_name), "a label's name of {}", name);
  CHECK(bounds.empty() == (type != MetricType::kHistogram) &&
            std::ranges::is_sorted(bounds, std::less_equal<>{}),
        "{}: a histogram has bounds, which grow", name);
  for (const Definition* other = newest; other != nullptr; other = other->next_) {
    CHECK(other->name_ != name, "metric {} is defined twice", name);
  }
  std::ranges::copy(labels, labels_.begin());
  newest = this;
}

Definition::~Definition() {
  const Definition** at = &newest;
  while (*at != this) at = &const_cast<Definition*>(*at)->next_;
  *at = next_;
}

std::vector<const Definition*> Definition::all() {
  std::vector<const Definition*> all;
  for (const Definition* at = newest; at != nullptr; at = at->next_) all.push_back(at);
  std::ranges::sort(all, {}, &Definition::name_);
  return all;
}

}  // namespace godwit::observe
