#pragma once

#include <memory>
#include <vector>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/sleep.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"

namespace godwit::cli::run {

// Beats the heart of every shard once a second: /livez names a shard whose loop stands still, and a histogram shows how
// late beats are, which is how long everything else in the loop waits for its turn.
// Lifecycle  beats from the constructor on; the destructor stops it and waits. Borrows the running shards.
// Threads    constructed and destroyed on a thread that is no shard
class Pulse {
 public:
  // So long a loop may stand still: longer than any disk stall that clears up, shorter than a night.
  static constexpr Duration kStillMax = std::chrono::seconds(60);

  Pulse(async::Shards& shards, observe::Health& health, observe::Metrics& metrics);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

 private:
  struct Beat {
    std::shared_ptr<observe::Health::Heartbeat> heart;
    async::Sleeper sleeper;  // of its shard
  };
  static async::Task<void> beat(async::Shard& shard, Beat& beat, observe::Histogram& delay);

  async::Shards& shards_;
  std::vector<std::unique_ptr<Beat>> beats_;
  async::Gate gate_;
};

}  // namespace godwit::cli::run
