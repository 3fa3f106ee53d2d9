#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "common/log/counters.h"
#include "common/log/log.h"
#include "common/observe/metrics.h"

namespace godwit::cli::run {

// What a scrape learns about the process itself and its embedded log. Ends with its destructor.
class ProcessMetrics {
 public:
  // `log_kind`: "embedded", or "kafka", of which no `counters` tell. The log outlives it.
  ProcessMetrics(observe::Metrics& metrics, std::string_view version, std::string_view log_kind,
                 const std::filesystem::path& data_dir, const log::Log& log,
                 std::shared_ptr<const log::Counters> counters);

  void ready(bool so) { ready_.set(so ? 1 : 0); }
  void reloaded() {
    reloads_.add();
    last_reload_.set(1);
  }
  void reload_failed() {
    reload_failures_.add();
    last_reload_.set(0);
  }

 private:
  void sample_process(observe::Metrics& metrics, const std::filesystem::path& data_dir);
  void sample_log(observe::Metrics& metrics, const log::Log& log);

  std::shared_ptr<const log::Counters> counters_;
  observe::Gauge& ready_;
  observe::Counter& reloads_;
  observe::Counter& reload_failures_;
  observe::Gauge& last_reload_;
  std::vector<observe::Metrics::Sampled> samples_;
};

}  // namespace godwit::cli::run
