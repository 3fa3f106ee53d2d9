#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "common/log/counters.h"
#include "common/observe/metrics.h"

namespace godwit::cli::run {

// What a scrape learns about the process itself and its embedded log. Ends with its destructor.
class ProcessMetrics {
 public:
  ProcessMetrics(observe::Metrics& metrics, std::string_view version,
                 std::shared_ptr<const log::Counters> log);

  void reloaded() { reloads_.add(); }
  void reload_failed() { reload_failures_.add(); }

 private:
  void sample_process(observe::Metrics& metrics);
  void sample_log(observe::Metrics& metrics);

  std::shared_ptr<const log::Counters> log_;
  observe::Counter& reloads_;
  observe::Counter& reload_failures_;
  std::vector<observe::Metrics::Sampled> samples_;
};

}  // namespace godwit::cli::run
