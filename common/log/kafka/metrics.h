#pragma once

#include <array>
#include <string_view>

#include "common/base/clock.h"
#include "common/log/kafka/transactional_producer.h"
#include "common/observe/metrics.h"

namespace godwit::log {

// What one group of this process counts: docs/kafka.md, "What to watch".
class GroupMetrics {
 public:
  GroupMetrics(observe::Metrics& metrics, std::string_view group);

  void transaction(TransactionEnd end, Duration took);
  void producer_replaced() { producers_replaced_.add(); }

  // Of the partitions that are being taken now: offsets of their tables still to be read.
  void rebuilding(std::uint64_t offsets_left) {
    rebuild_left_.set(static_cast<double>(offsets_left));
  }
  // Offsets that expired before the group had finished them.
  void expired(std::uint64_t offsets) { expired_.add(offsets); }

 private:
  static constexpr std::size_t kOutcomes = 6;
  std::array<observe::Counter*, kOutcomes> outcomes_{};
  observe::Histogram& seconds_;
  observe::Counter& producers_replaced_;
  observe::Gauge& rebuild_left_;
  observe::Counter& expired_;
};

}  // namespace godwit::log
