#include "cli/run/log_lag.h"

#include <algorithm>

namespace godwit::cli::run {
namespace {

const observe::GaugeDefinition kLag{
    "godwit_log_lag_records",
    "Records that the group has not finished, of all partitions here.",
    {"group", "topic"}};
const observe::GaugeDefinition kOldest{
    "godwit_log_oldest_unfinished_seconds",
    "Since the oldest record that the group has not finished was written; 0 when there is none.",
    {"group", "topic"}};

}  // namespace

LogLag::LogLag(observe::Metrics& metrics, log::Log& log, const godwit::admin::WatchedLog& roles,
               const Clock& clock)
    : metrics_(metrics), log_(log), roles_(roles), clock_(clock) {}

void LogLag::look() {
  for (const godwit::admin::Owned& owned : roles_.owned()) {
    for (const log::Topic topic : owned.topics) look_at(owned, topic);
  }
}

void LogLag::look_at(const godwit::admin::Owned& owned, log::Topic topic) {
  const auto [at, added] = behind_.try_emplace({owned.group, topic});
  Behind& behind = at->second;
  if (added) {
    behind = {.records = &metrics_.gauge(kLag, {owned.group, log::topic_name(topic)}),
              .oldest = &metrics_.gauge(kOldest, {owned.group, log::topic_name(topic)}),
              .since_ms = nullptr};
  }
  // What the questions of the last look have found out.
  const std::int64_t since_ms = behind.since_ms ? behind.since_ms->load() : kNothing;
  const std::int64_t now_ms = to_unix_ms(clock_.now());
  behind.oldest->set(since_ms == kNothing
                         ? 0
                         : static_cast<double>(std::max<std::int64_t>(now_ms - since_ms, 0)) /
                               1000);
  behind.since_ms = std::make_shared<std::atomic<std::int64_t>>(kNothing);

  log::Offset records = 0;
  for (const log::PartitionId partition : owned.partitions) {
    const log::TopicPartition where{topic, partition};
    const auto finished = log_.committed(owned.group, where);
    if (!finished) continue;
    const log::Offset lag = log_.end(where) - *finished;
    if (lag <= 0) continue;
    records += lag;
    ask_for_time({where, *finished}, behind);
  }
  behind.records->set(static_cast<double>(records));
}

void LogLag::ask_for_time(log::RecordPosition of, const Behind& behind) {
  log_.read_at(of, [since = behind.since_ms](const Result<log::Record>& record) {
    if (!record) return;  // it was finished and recycled meanwhile, or cannot be read
    const std::int64_t written = to_unix_ms(record->time);
    std::int64_t oldest = since->load();
    while ((oldest == kNothing || written < oldest) &&
           !since->compare_exchange_weak(oldest, written)) {
    }
  });
}

}  // namespace godwit::cli::run
