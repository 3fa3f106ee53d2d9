#include "cli/run/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "common/observe/log.h"

namespace godwit::cli::run {
namespace {

using observe::CounterDefinition;
using observe::GaugeDefinition;

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

double data_dir_bytes(const std::filesystem::path& directory,
                      std::uintmax_t std::filesystem::space_info::* which) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  return error ? 0 : static_cast<double>(space.*which);
}

double descriptors_max() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

const GaugeDefinition kBuild{"godwit_build_info",
                             "Always 1; the version, and which log it runs on, are labels.",
                             {"version", "log"}};
const GaugeDefinition kStarted{"godwit_process_start_time_seconds",
                               "When the process started, Unix time."};
const GaugeDefinition kReady{"godwit_process_ready",
                             "1 while /readyz says so; looked at once a second."};
const CounterDefinition kReloads{"godwit_process_reloads_total", "Reloads that took effect."};
const CounterDefinition kReloadFailures{"godwit_process_reload_failures_total",
                                        "Reloads that were refused; what was in force stayed."};
const GaugeDefinition kLastReload{
    "godwit_process_last_reload_successful",
    "0 when the last reload was refused: the files are not what is in force."};
const GaugeDefinition kResident{"godwit_process_resident_memory_bytes", "Resident memory."};
const GaugeDefinition kDescriptors{"godwit_process_open_descriptors", "Open file descriptors."};
const GaugeDefinition kDescriptorsMax{"godwit_process_descriptors_max",
                                      "File descriptors that may be open."};
const CounterDefinition kCpu{"godwit_process_cpu_seconds_total", "CPU time, user and system."};
const CounterDefinition kLinesDropped{"godwit_process_log_lines_dropped_total",
                                      "Log lines dropped because standard error was slow."};
const GaugeDefinition kDataDirFree{"godwit_process_data_dir_free_bytes",
                                   "Room on the file system of data_dir."};
const GaugeDefinition kDataDirSize{"godwit_process_data_dir_size_bytes",
                                   "Size of the file system of data_dir."};
const GaugeDefinition kLogFree{
    "godwit_log_free_bytes",
    "What the embedded log takes before it refuses mail: room above its reserve."};

template <class MetricDefinition>
struct LogSample {
  MetricDefinition definition;
  log::Counters::Count log::Counters::* value;
  double scale = 1;
};
const LogSample<CounterDefinition> kLogCounters[] = {
    {{"godwit_log_batches_total", "Batches written to a segment."}, &log::Counters::batches_total},
    {{"godwit_log_written_bytes_total", "Octets written to segments."},
     &log::Counters::batch_bytes_total},
    {{"godwit_log_records_total", "Records appended to topics."}, &log::Counters::records_total},
    {{"godwit_log_table_changes_total", "Changes of tables."}, &log::Counters::changes_total},
    {{"godwit_log_syncs_total", "Syncs of segments."}, &log::Counters::syncs_total},
    {{"godwit_log_sync_seconds_total", "Time that syncs took."},
     &log::Counters::sync_nanoseconds_total,
     1e-9},
    {{"godwit_log_sync_failures_total", "Syncs that failed."}, &log::Counters::sync_failures_total},
    {{"godwit_log_tail_cache_hits_total", "Records read from memory."},
     &log::Counters::tail_cache_hits_total},
    {{"godwit_log_tail_cache_misses_total", "Records read from segments."},
     &log::Counters::tail_cache_misses_total},
    {{"godwit_log_refused_no_space_total",
      "Appends refused because the disk is full down to the reserve."},
     &log::Counters::refused_no_space_total},
    {{"godwit_log_refused_unavailable_total", "Appends refused because the log takes nothing."},
     &log::Counters::refused_unavailable_total},
    {{"godwit_log_segments_recycled_total", "Segments that were used again."},
     &log::Counters::segments_recycled_total},
    {{"godwit_log_checkpoints_total", "Checkpoints of the tables."},
     &log::Counters::checkpoints_total},
    {{"godwit_log_checkpoint_failures_total", "Checkpoints that failed."},
     &log::Counters::checkpoint_failures_total},
    {{"godwit_log_archived_records_total", "Records moved to the archive."},
     &log::Counters::archived_records_total},
};
const LogSample<GaugeDefinition> kLogGauges[] = {
    {{"godwit_log_tail_cache_bytes", "Octets of the newest records in memory."},
     &log::Counters::tail_cache_bytes},
    {{"godwit_log_segments_live", "Segments in use."}, &log::Counters::segments_live},
    {{"godwit_log_segments_free", "Segments ready for use, the reserve included."},
     &log::Counters::segments_free},
    {{"godwit_log_unsynced_batches", "Batches written and not yet synced."},
     &log::Counters::unsynced_batches},
};

}  // namespace

ProcessMetrics::ProcessMetrics(observe::Metrics& metrics, std::string_view version,
                               std::string_view log_kind, const std::filesystem::path& data_dir,
                               const log::Log& log, std::shared_ptr<const log::Counters> counters)
    : counters_(std::move(counters)),
      ready_(metrics.gauge(kReady)),
      reloads_(metrics.counter(kReloads)),
      reload_failures_(metrics.counter(kReloadFailures)),
      last_reload_(metrics.gauge(kLastReload)) {
  last_reload_.set(1);
  metrics.gauge(kBuild, {version, log_kind}).set(1);
  metrics.gauge(kStarted).set(static_cast<double>(to_unix_ms(system_clock().now())) / 1000);
  sample_process(metrics, data_dir);
  if (counters_) sample_log(metrics, log);
}

void ProcessMetrics::sample_process(observe::Metrics& metrics,
                                    const std::filesystem::path& data_dir) {
  samples_.push_back(metrics.sampled(kResident, {}, resident_bytes));
  samples_.push_back(metrics.sampled(kDescriptors, {}, open_descriptors));
  samples_.push_back(metrics.sampled(kDescriptorsMax, {}, descriptors_max));
  samples_.push_back(metrics.sampled(kCpu, {}, cpu_seconds));
  samples_.push_back(metrics.sampled(kLinesDropped, {},
                                     [] { return static_cast<double>(observe::lines_dropped()); }));
  samples_.push_back(metrics.sampled(kDataDirFree, {}, [data_dir] {
    return data_dir_bytes(data_dir, &std::filesystem::space_info::available);
  }));
  samples_.push_back(metrics.sampled(kDataDirSize, {}, [data_dir] {
    return data_dir_bytes(data_dir, &std::filesystem::space_info::capacity);
  }));
}

void ProcessMetrics::sample_log(observe::Metrics& metrics, const log::Log& log) {
  const auto add = [&](const auto& samples) {
    for (const auto& one : samples) {
      samples_.push_back(metrics.sampled(
          one.definition, {}, [counters = counters_, value = one.value, scale = one.scale] {
            return static_cast<double>(((*counters).*value).load(std::memory_order_relaxed)) *
                   scale;
          }));
    }
  };
  add(kLogCounters);
  add(kLogGauges);
  samples_.push_back(metrics.sampled(
      kLogFree, {}, [&log] { return static_cast<double>(log.status().bytes_free); }));
}

}  // namespace godwit::cli::run
