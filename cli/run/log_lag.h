#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/admin/watched_log.h"
#include "common/base/clock.h"
#include "common/log/log.h"
#include "common/observe/metrics.h"

namespace godwit::cli::run {

// How far the roles are behind on the embedded log, for metrics: look() compares the end of each topic they read with
// what they have finished, and asks the log for the oldest record in between. On Kafka brokers are asked instead
// (common/log/kafka/cluster_watch.h).
//
// Threads    look() belongs to one; what it asked for is answered on the log's, and told by the next look()
// Lifetime   borrows everything; look() no more once the log is closed
class LogLag {
 public:
  LogLag(observe::Metrics& metrics, log::Log& log, const godwit::admin::WatchedLog& roles,
         const Clock& clock);

  // Never blocks; some map look-ups, and a read for each partition that lags.
  void look();

 private:
  static constexpr std::int64_t kNothing = -1;
  struct Behind {
    observe::Gauge* records = nullptr;
    observe::Gauge* oldest = nullptr;
    // Since when the oldest record waits, by the last look; unix milliseconds.
    std::shared_ptr<std::atomic<std::int64_t>> since_ms;
  };
  void look_at(const godwit::admin::Owned& owned, log::Topic topic);
  void ask_for_time(log::RecordPosition of, const Behind& behind);

  observe::Metrics& metrics_;
  log::Log& log_;
  const godwit::admin::WatchedLog& roles_;
  const Clock& clock_;
  std::map<std::pair<std::string, log::Topic>, Behind> behind_;
};

}  // namespace godwit::cli::run
