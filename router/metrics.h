#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/net/resolver.h"
#include "common/observe/metrics.h"

namespace godwit::router {

// What the router counts. Methods are events; any thread.
class RouterMetrics {
 public:
  explicit RouterMetrics(observe::Metrics& metrics);

  void committed(std::uint64_t messages, std::uint64_t deliveries, std::uint64_t recipients,
                 Duration took);
  void commit_failed() { commit_failures_.add(); }
  void buried() { dead_.add(); }
  void pool_unknown() { pools_unknown_.add(); }
  void site_remembered() { sites_remembered_.add(); }
  void looked_up(net::DnsOutcome outcome);
  void patience_ended() { patience_ended_.add(); }
  // From acceptance to the commit that holds the message's deliveries.
  void queued(std::uint64_t ms) { queued_.observe(static_cast<double>(ms) / 1000.0); }
  void window_changed(double messages) { window_.add(messages); }

 private:
  observe::Counter& messages_;
  observe::Counter& deliveries_;
  observe::Counter& recipients_;
  observe::Counter& dead_;
  observe::Counter& commit_failures_;
  observe::Counter& pools_unknown_;
  observe::Counter& sites_remembered_;
  observe::Counter& patience_ended_;
  observe::Counter& found_;
  observe::Counter& nonexistent_;
  observe::Counter& failed_;
  observe::Gauge& window_;
  observe::Histogram& commit_;
  observe::Histogram& queued_;
};

}  // namespace godwit::router
