#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
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
};

// What all partitions of the process hold together: sums of their figures, and the worst age.
// Threads   any
class QueueMetrics {
 public:
  QueueMetrics(observe::Metrics& metrics, const Clock& clock);

  // Counts for as long as somebody else holds it.
  [[nodiscard]] std::shared_ptr<PartitionFigures> add_partition();

 private:
  using Figure = std::atomic<std::int64_t> PartitionFigures::*;
  [[nodiscard]] double sum(Figure figure) const;
  [[nodiscard]] double seconds_since_first(Figure figure) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<PartitionFigures>> partitions_;
  std::vector<observe::Metrics::Sampled> samples_;  // last: they read what is above
};

}  // namespace godwit::sender
