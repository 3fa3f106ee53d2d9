#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/observe/metrics.h"

namespace godwit::sender {

// What one partition holds, for whoever scrapes: written by its shard, read by any.
struct alignas(64) PartitionFigures {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> waiting{0};  // recipients
  std::atomic<std::int64_t> active{0};
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> oldest_ms{kNever};  // when the oldest was accepted
  std::atomic<std::int64_t> due_ms{kNever};     // when the first parked one is due

  // The domains with the most recipients: replaced now and then.
  struct DomainCount {
    std::string domain;
    std::int64_t recipients = 0;
  };
  std::mutex domains_mutex;
  std::vector<DomainCount> domains;
};

// What all partitions of the process hold together: sums of their figures, and the worst age.
// Threads   any
class QueueMetrics {
 public:
  // `domains_max`: of the domains with the most recipients; 0: none is named.
  QueueMetrics(observe::Metrics& metrics, const Clock& clock, std::size_t domains_max);

  // Counts for as long as somebody else holds it.
  [[nodiscard]] std::shared_ptr<PartitionFigures> add_partition();
  [[nodiscard]] std::size_t domains_max() const { return domains_max_; }

 private:
  using Figure = std::atomic<std::int64_t> PartitionFigures::*;
  [[nodiscard]] double sum(Figure figure) const;
  [[nodiscard]] double seconds_since_first(Figure figure) const;
  [[nodiscard]] std::vector<observe::Metrics::Row> domain_rows() const;

  const Clock& clock_;
  const std::size_t domains_max_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<PartitionFigures>> partitions_;
  std::vector<observe::Metrics::Sampled> samples_;  // last: they read what is above
};

}  // namespace godwit::sender
