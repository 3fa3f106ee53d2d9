#include "sender/queue_metrics.h"

#include <algorithm>
#include <map>

#include "common/text/escape.h"

namespace godwit::sender {
namespace {

const observe::GaugeDefinition kQueue{
    "godwit_sender_queue_recipients",
    "Recipients that have not ended, by state: waiting in memory, active in an attempt, parked in "
    "the table retries.",
    {"state"}};
const observe::GaugeDefinition kOldest{"godwit_sender_queue_oldest_seconds",
                                       "Since the oldest recipient that has not ended was "
                                       "accepted, to the minute; 0 when there is none."};
const observe::GaugeDefinition kOverdue{
    "godwit_sender_queue_overdue_seconds",
    "Since the first parked delivery was due, to the minute; 0 when none is."};

const observe::GaugeDefinition kByDomain{
    "godwit_sender_queue_recipients_by_domain",
    "Recipients that have not ended, of the sender.metric_domains_max domains with the most; a "
    "partition looks at 4,096 of its domains a second, so with many the figures are that old.",
    {"domain"}};

}  // namespace

QueueMetrics::QueueMetrics(observe::Metrics& metrics, const Clock& clock, std::size_t domains_max)
    : clock_(clock), domains_max_(domains_max) {
  const auto add = [&](std::string_view state, Figure figure) {
    samples_.push_back(metrics.sampled(kQueue, {state}, [this, figure] { return sum(figure); }));
  };
  add("waiting", &PartitionFigures::waiting);
  add("active", &PartitionFigures::active);
  add("parked", &PartitionFigures::parked);
  samples_.push_back(metrics.sampled(
      kOldest, {}, [this] { return seconds_since_first(&PartitionFigures::oldest_ms); }));
  samples_.push_back(metrics.sampled(
      kOverdue, {}, [this] { return seconds_since_first(&PartitionFigures::due_ms); }));
  if (domains_max > 0)
    samples_.push_back(metrics.sampled_rows(kByDomain, [this] { return domain_rows(); }));
}

std::vector<observe::Metrics::Row> QueueMetrics::domain_rows() const {
  std::map<std::string, std::int64_t> sums;  // of a domain whose lanes are in several partitions
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : partitions_) {
      const auto one = weak.lock();
      if (!one) continue;
      const std::lock_guard domains_lock(one->domains_mutex);
      for (const auto& [domain, recipients] : one->domains) sums[domain] += recipients;
    }
  }
  std::vector<observe::Metrics::Row> rows;
  rows.reserve(sums.size());
  for (const auto& [domain, recipients] : sums)
    rows.push_back({{text::printable(domain, 255)}, static_cast<double>(recipients)});
  std::ranges::sort(rows, [](const auto& left, const auto& right) {
    return left.value != right.value ? left.value > right.value : left.values < right.values;
  });
  if (rows.size() > domains_max_) rows.resize(domains_max_);
  return rows;
}

std::shared_ptr<PartitionFigures> QueueMetrics::add_partition() {
  auto figures = std::make_shared<PartitionFigures>();
  const std::lock_guard lock(mutex_);
  std::erase_if(partitions_, [](const auto& one) { return one.expired(); });
  partitions_.push_back(figures);
  return figures;
}

double QueueMetrics::sum(Figure figure) const {
  const std::lock_guard lock(mutex_);
  std::int64_t sum = 0;
  for (const auto& weak : partitions_) {
    if (const auto one = weak.lock()) sum += ((*one).*figure).load(std::memory_order_relaxed);
  }
  return static_cast<double>(sum);
}

double QueueMetrics::seconds_since_first(Figure figure) const {
  const std::lock_guard lock(mutex_);
  std::int64_t first = PartitionFigures::kNever;
  for (const auto& weak : partitions_) {
    if (const auto one = weak.lock())
      first = std::min(first, ((*one).*figure).load(std::memory_order_relaxed));
  }
  if (first == PartitionFigures::kNever) return 0;
  const std::int64_t since = to_unix_ms(clock_.now()) - first;
  return since > 0 ? static_cast<double>(since) / 1000 : 0;
}

}  // namespace godwit::sender
