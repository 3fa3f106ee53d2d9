#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/observe/metrics.h"
#include "sender/lane_limits.h"
#include "sender/settlement.h"

namespace godwit::sender {

// What is counted of one lane, under its provider and pool: how its mail fares, and why it stands still. Many lanes
// count into the same series; resolved once, and again for a class of reply or a source not seen before.
// Threads   belongs to the shard
class LaneMetrics {
 public:
  // `provider`: control::provider_label().
  LaneMetrics(observe::Metrics& metrics, std::string_view provider, const PoolName& pool);
  ~LaneMetrics() { stands(Wait::kNone); }
  LaneMetrics(const LaneMetrics&) = delete;
  LaneMetrics& operator=(const LaneMetrics&) = delete;

  // An attempt at mail that was accepted `age` ago; `first`: there was none before.
  void attempted(const AttemptReport& report, Duration age, bool first, bool urgent);
  void expired(std::uint32_t recipients);
  // Why mail that waits does not go out now.
  void stands(Wait why);

 private:
  enum Result : std::uint8_t { kDelivered, kDeferred, kBounced, kExpired, kResults };
  using PerResult = std::array<observe::Counter*, kResults - 1>;  // a source does not expire
  [[nodiscard]] static Result result_of(Verdict verdict);
  observe::Counter& of_class(Result result, std::string_view category);
  PerResult& of_source(const SourceName& source);

  observe::Metrics& metrics_;
  const std::string provider_;
  const std::string pool_;
  observe::Counter& delivered_;
  observe::Histogram& delivery_seconds_;
  std::array<observe::Histogram*, 2> first_attempt_seconds_;  // bulk, urgent
  std::array<std::map<std::string, observe::Counter*, std::less<>>, kResults> by_class_;
  std::map<SourceName, PerResult> by_source_;
  struct Standing {
    observe::Gauge* lanes = nullptr;
    observe::Counter* times = nullptr;
  };
  std::map<Wait, Standing> standing_by_;
  Wait standing_ = Wait::kNone;
};

}  // namespace godwit::sender
