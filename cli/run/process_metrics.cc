#include "cli/run/process_metrics.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "common/observe/log.h"

namespace godwit::cli::run {
namespace {

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    ++count;
  }
  return count;
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct LogSample {
  std::string_view name;
  std::string_view help;
  log::Counters::Count log::Counters::* value;
  double scale = 1;
};
constexpr auto kLogSamples = std::to_array<LogSample>({
    {"godwit_log_batches_total", "Batches written to a segment.", &log::Counters::batches_total},
    {"godwit_log_written_bytes_total", "Octets written to segments.",
     &log::Counters::batch_bytes_total},
    {"godwit_log_records_total", "Records appended to topics.", &log::Counters::records_total},
    {"godwit_log_table_changes_total", "Changes of tables.", &log::Counters::changes_total},
    {"godwit_log_syncs_total", "Syncs of segments.", &log::Counters::syncs_total},
    {"godwit_log_sync_seconds_total", "Time that syncs took.",
     &log::Counters::sync_nanoseconds_total, 1e-9},
    {"godwit_log_sync_failures_total", "Syncs that failed.", &log::Counters::sync_failures_total},
    {"godwit_log_tail_cache_hits_total", "Records read from memory.",
     &log::Counters::tail_cache_hits_total},
    {"godwit_log_tail_cache_misses_total", "Records read from segments.",
     &log::Counters::tail_cache_misses_total},
    {"godwit_log_refused_no_space_total",
     "Appends refused because the disk is full down to the reserve.",
     &log::Counters::refused_no_space_total},
    {"godwit_log_refused_unavailable_total", "Appends refused because the log takes nothing.",
     &log::Counters::refused_unavailable_total},
    {"godwit_log_segments_recycled_total", "Segments that were used again.",
     &log::Counters::segments_recycled_total},
    {"godwit_log_checkpoints_total", "Checkpoints of the tables.",
     &log::Counters::checkpoints_total},
    {"godwit_log_checkpoint_failures_total", "Checkpoints that failed.",
     &log::Counters::checkpoint_failures_total},
    {"godwit_log_archived_records_total", "Records moved to the archive.",
     &log::Counters::archived_records_total},
    {"godwit_log_tail_cache_bytes", "Octets of the newest records in memory.",
     &log::Counters::tail_cache_bytes},
    {"godwit_log_segments_live", "Segments in use.", &log::Counters::segments_live},
    {"godwit_log_segments_free", "Segments ready for use, the reserve included.",
     &log::Counters::segments_free},
    {"godwit_log_unsynced_batches", "Batches written and not yet synced.",
     &log::Counters::unsynced_batches},
});

}  // namespace

ProcessMetrics::ProcessMetrics(observe::Metrics& metrics, std::string_view version,
                               std::shared_ptr<const log::Counters> log)
    : log_(std::move(log)),
      reloads_(metrics.counter("godwit_process_reloads_total", "Reloads that took effect.")),
      reload_failures_(metrics.counter("godwit_process_reload_failures_total",
                                       "Reloads that were refused; what was in force stayed.")) {
  metrics.gauge("godwit_build_info", "Always 1; the version is a label.", {{"version", version}})
      .set(1);
  metrics.gauge("godwit_process_start_time_seconds", "When the process started, Unix time.")
      .set(static_cast<double>(to_unix_ms(system_clock().now())) / 1000);
  sample_process(metrics);
  if (log_) sample_log(metrics);
}

void ProcessMetrics::sample_process(observe::Metrics& metrics) {
  samples_.push_back(metrics.sampled("godwit_process_resident_memory_bytes", "Resident memory.", {},
                                     resident_bytes));
  samples_.push_back(metrics.sampled("godwit_process_open_descriptors", "Open file descriptors.",
                                     {}, open_descriptors));
  samples_.push_back(metrics.sampled("godwit_process_cpu_seconds_total",
                                     "CPU time, user and system.", {}, cpu_seconds));
  samples_.push_back(metrics.sampled("godwit_process_log_lines_dropped_total",
                                     "Log lines dropped because standard error was slow.", {},
                                     [] { return static_cast<double>(observe::lines_dropped()); }));
}

void ProcessMetrics::sample_log(observe::Metrics& metrics) {
  for (const LogSample& sample : kLogSamples) {
    samples_.push_back(metrics.sampled(sample.name, sample.help, {}, [log = log_, sample] {
      return static_cast<double>(((*log).*sample.value).load(std::memory_order_relaxed)) *
             sample.scale;
    }));
  }
}

}  // namespace godwit::cli::run
