#pragma once

#include <array>

#include "common/base/clock.h"
#include "common/observe/metrics.h"
#include "common/report/report.h"

namespace godwit::bouncer {

// What the bouncer counts. Methods are events; any thread.
class BouncerMetrics {
 public:
  explicit BouncerMetrics(observe::Metrics& metrics);

  // A mail that came back, as what it was understood.
  void understood(report::Kind kind) { kinds_.at(static_cast<std::size_t>(kind))->add(); }
  void late_bounce() { late_.add(); }
  void complaint() { complaints_.add(); }
  // It names no recipient of ours.
  void nobodys() { nobodys_.add(); }
  void told() { told_.add(); }
  void buried() { dead_.add(); }
  void commit_failed() { commit_failures_.add(); }
  void committed(Duration took) { commit_.observe(took); }

 private:
  std::array<observe::Counter*, 5> kinds_;  // by report::Kind
  observe::Counter& late_;
  observe::Counter& complaints_;
  observe::Counter& nobodys_;
  observe::Counter& told_;
  observe::Counter& dead_;
  observe::Counter& commit_failures_;
  observe::Histogram& commit_;
};

}  // namespace godwit::bouncer
