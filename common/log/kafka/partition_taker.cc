#include "common/log/kafka/partition_taker.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/kill_point.h"
#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};
constexpr std::chrono::milliseconds kLookAgain = 10ms;
// Then the group is asked whether it still wants the partition, and goes on.
constexpr std::chrono::milliseconds kPositionsPatience{3'000};
constexpr std::size_t kChangesMax = 1000;
constexpr std::size_t kChangesBytesMax = 4u << 20;

// Writes a table partition into its copy, until the rebuild ends.
class Replay final : public RecordSink {
 public:
  Replay(TopicPartition where, Offset from, Rebuild rebuild, std::shared_ptr<TableCopies> copies)
      : where_(where), rebuild_(rebuild), copies_(std::move(copies)), next_(from) {}

  bool on_record(Record record, bool tombstone) override {
    KILL_POINT("kafka.rebuilding");
    next_ = record.offset + 1;
    bytes_ += record.key.size() + record.value.size();
    TableChange& change = changes_.emplace_back();
    change.where = where_;
    change.key = std::move(record.key);
    if (!tombstone) change.value = std::move(record.value);
    if (changes_.size() >= kChangesMax || bytes_ >= kChangesBytesMax) on_pause();
    return true;
  }
  void on_pause() override {
    if (changes_.empty()) return;
    write();
  }
  void on_end(Offset next) override {
    next_ = std::max(next_.load(), next);
    write();
    if (rebuild_.ends_at(next_)) done_ = true;
  }
  void on_failure(Error error) override { fail_with(std::move(error)); }

  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::uint64_t left() const {
    return static_cast<std::uint64_t>(std::max<Offset>(rebuild_.high_watermark - next_, 0));
  }
  [[nodiscard]] std::optional<Error> failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  void write() {
    const PositionChange reached{where_, next_};
    if (auto applied = copies_->apply(changes_, std::span(&reached, 1)); !applied) {
      fail_with(std::move(applied).error());
    }
    changes_.clear();
    bytes_ = 0;
  }
  void fail_with(Error error) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
  }

  const TopicPartition where_;
  const Rebuild rebuild_;
  const std::shared_ptr<TableCopies> copies_;
  std::vector<TableChange> changes_;
  std::size_t bytes_ = 0;
  std::atomic<Offset> next_;
  std::atomic<bool> done_{false};
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace

Result<std::vector<PartitionTaker::Taken>> PartitionTaker::take(
    const std::vector<PartitionId>& partitions, const std::function<bool()>& go_on) {
  const Instant asked = std::chrono::steady_clock::now();
  TRY(const Positions positions, look_up(partitions));
  TRY_VOID(rebuild(partitions, go_on));
  std::vector<Taken> all;
  for (const PartitionId partition : partitions) {
    Taken& taken = all.emplace_back();
    taken.partition = partition;
    taken.asked = asked;
    place(taken, positions);
  }
  return all;
}

Result<PartitionTaker::Positions> PartitionTaker::look_up(
    const std::vector<PartitionId>& partitions) const {
  std::vector<TopicPartition> places;
  std::vector<KafkaAdmin::At> asked;
  for (const PartitionId partition : partitions) {
    for (const Topic topic : env_.read) {
      places.push_back({topic, partition});
      asked.push_back({env_.names.of(topic), partition});
    }
  }
  TRY(const auto committed,
      env_.admin->committed(env_.names.prefix() + env_.group, asked, kPositionsPatience));
  TRY(const auto starts, env_.admin->offsets(asked, KafkaAdmin::Edge::kStart));
  TRY(const auto ends, env_.admin->offsets(std::move(asked), KafkaAdmin::Edge::kEndWritten));
  Positions positions;
  for (std::size_t i = 0; i < places.size(); ++i) {
    positions[places[i]] = {committed[i].offset, {starts[i].offset, ends[i].offset}};
  }
  return positions;
}

Result<void> PartitionTaker::rebuild(const std::vector<PartitionId>& partitions,
                                     const std::function<bool()>& go_on) {
  std::vector<KafkaAdmin::At> asked;
  std::vector<TableCopies::Part> parts;
  for (const PartitionId partition : partitions) {
    for (const Topic topic : env_.tables) {
      asked.push_back({env_.names.of(topic), partition});
      parts.push_back({.where = {topic, partition}, .extent = {}});
    }
  }
  if (parts.empty()) return {};
  TRY(const auto starts, env_.admin->offsets(asked, KafkaAdmin::Edge::kStart));
  TRY(const auto ends, env_.admin->offsets(std::move(asked), KafkaAdmin::Edge::kEndWritten));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].extent = {starts[i].offset, ends[i].offset};
  }
  TRY(const auto begin, env_.copies->begin(parts));
  std::vector<std::shared_ptr<Replay>> replays;
  std::vector<TopicPartition> attached;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& [where, extent] = parts[i];
    const Rebuild rebuild{extent.end};
    if (rebuild.ends_at(begin[i].value_or(0))) continue;
    replays.push_back(
        std::make_shared<Replay>(where, begin[i].value_or(extent.start), rebuild, env_.copies));
    attached.push_back(where);
    env_.reader->attach(where, begin[i].value_or(RD_KAFKA_OFFSET_BEGINNING), replays.back());
  }
  Result<void> result;
  while (result && !std::ranges::all_of(replays, &Replay::done)) {
    std::uint64_t left = 0;
    for (const auto& replay : replays) {
      left += replay->left();
      if (auto failure = replay->failure()) result = fail(*std::move(failure));
    }
    env_.metrics->rebuilding(left);
    if (!go_on()) result = fail(Errc::kClosed);
    std::this_thread::sleep_for(kLookAgain);
  }
  for (const TopicPartition where : attached) env_.reader->detach(where);
  env_.metrics->rebuilding(0);
  return result;
}

void PartitionTaker::place(Taken& taken, const Positions& positions) const {
  for (const Topic topic : env_.read) {
    const TopicPartition where{topic, taken.partition};
    const auto& [committed, extent] = positions.at(where);
    std::optional<Offset> kept;
    if (committed < 0 && env_.kept_position && !env_.tables.empty()) {
      kept = env_.kept_position(topic, *env_.copies->table({env_.tables.front(), where.partition}));
    }
    const auto next = first_offset(committed, kept, extent);
    const std::string name = fmt::format("{} {}", env_.names.of(topic), where.partition);
    if (!next) {
      taken.halted = fmt::format("{}, group {}: {}", name, env_.group, next.error().context);
      return;
    }
    taken.positions[topic] = *next;
    if (kept) {
      kLog.warning("a position that the group has lost is taken from its table",
                   {{"group", env_.group}, {"partition", name}, {"offset", *next}});
    }
    if (const Offset before = committed >= 0 ? committed : kept.value_or(0); before < *next) {
      env_.metrics->expired(static_cast<std::uint64_t>(*next - before));
      kLog.error("records expired before they were finished",
                 {{"group", env_.group}, {"partition", name}, {"from", before}, {"to", *next}});
    }
  }
}

}  // namespace godwit::log
