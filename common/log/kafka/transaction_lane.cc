#include "common/log/kafka/transaction_lane.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/kill_point.h"
#include "common/log/kafka/owned_partition.h"
#include "common/log/ownership_rules.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

constexpr std::chrono::milliseconds kIdleIntervalMax = 3s;
constexpr int kIdleCommitsInLease = 5;
constexpr std::chrono::milliseconds kPause = 50ms;
constexpr std::chrono::milliseconds kBeginPause = 200ms;

using Metadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                 decltype(&rd_kafka_consumer_group_metadata_destroy)>;

}  // namespace

struct TransactionLane::Pending {
  std::shared_ptr<OwnedPartition> partition;
  Batch batch;
  std::size_t bytes = 0;
  WriteDone done;
  std::vector<Offset> appended;
  std::vector<Offset> changed;
};

TransactionLane::TransactionLane(Environment environment)
    : env_(std::move(environment)), thread_([this] { work(); }) {}

TransactionLane::~TransactionLane() {
  stop();
}

std::string TransactionLane::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void TransactionLane::add(const std::shared_ptr<OwnedPartition>& partition) {
  const std::lock_guard lock(mutex_);
  partitions_[partition->partition()] = partition;
}

void TransactionLane::commit(std::shared_ptr<OwnedPartition> partition, Batch batch,
                             std::size_t bytes, WriteDone done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && queue_bytes_ + bytes <= kQueueBytesMax) {
      queue_bytes_ += bytes;
      Pending& pending = queue_.emplace_back();
      pending.partition = std::move(partition);
      pending.batch = std::move(batch);
      pending.bytes = bytes;
      pending.done = std::move(done);
      changed_.notify_all();
      return;
    }
  }
  done(fail(stopping_ ? Errc::kFenced : Errc::kUnavailable, "commits wait for Kafka"));
}

bool TransactionLane::busy(PartitionId partition) {
  std::vector<Pending> refused;
  bool busy = false;
  {
    const std::lock_guard lock(mutex_);
    std::deque<Pending> kept;
    for (Pending& pending : queue_) {
      if (pending.partition->ended()) {
        queue_bytes_ -= pending.bytes;
        refused.push_back(std::move(pending));
      } else {
        busy = busy || pending.partition->partition() == partition;
        kept.push_back(std::move(pending));
      }
    }
    queue_ = std::move(kept);
    busy = busy || std::ranges::find(under_way_, partition) != under_way_.end();
  }
  for (Pending& pending : refused)
    pending.done(fail(Errc::kFenced, "the partition has another owner"));
  return busy;
}

void TransactionLane::work() {
  const std::chrono::milliseconds idle =
      std::min(kIdleIntervalMax, env_.options.lease / kIdleCommitsInLease);
  Instant last_start{};
  while (true) {
    if (!ready_ && std::chrono::steady_clock::now() >= begin_not_before_) begin();
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return stopping_ || !queue_.empty(); };
      if (!ready_) {
        // What waits is not written, and cannot be now.
        if (stopping_) break;
        changed_.wait_for(lock, kBeginPause, [this] { return stopping_; });
        continue;
      }
      changed_.wait_until(lock, last_start + idle, wanted);
      if (!stopping_ && !queue_.empty()) {
        changed_.wait_until(lock, last_start + env_.options.commit_interval,
                            [this] { return stopping_; });
      }
      if (stopping_ && queue_.empty()) break;
    }
    last_start = std::chrono::steady_clock::now();
    run(next());
    const std::lock_guard lock(mutex_);
    under_way_.clear();
  }
  std::vector<Pending> left;
  {
    const std::lock_guard lock(mutex_);
    std::ranges::move(queue_, std::back_inserter(left));
    queue_.clear();
    queue_bytes_ = 0;
  }
  for (Pending& pending : left) pending.done(fail(Errc::kFenced, "the group has ended"));
  producer_.reset();
}

// A step towards a producer that can begin transactions.
void TransactionLane::begin() {
  Result<void> begun;
  if (!producer_) {
    auto made = TransactionalProducer::make(env_.options, env_.names, env_.producer);
    if (made) {
      producer_ = *std::move(made);
    } else {
      begun = fail(std::move(made).error());
    }
  }
  if (producer_) {
    begun = producer_->begin();
    if (!producer_->usable()) producer_.reset();
  }
  std::string problem = begun ? std::string() : begun.error().to_string();
  const std::lock_guard lock(mutex_);
  if (!problem.empty() && problem != problem_) {
    kLog.warning("a transactional producer cannot begin",
                 {{"id", env_.producer.id}, {"problem", problem}});
  }
  problem_ = std::move(problem);
  ready_ = begun.has_value();
}

std::size_t TransactionLane::queue_bytes() const {
  const std::lock_guard lock(mutex_);
  return queue_bytes_;
}

std::vector<TransactionLane::Pending> TransactionLane::next() {
  std::vector<Pending> pendings;
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  std::size_t records = 0;
  while (!queue_.empty()) {
    Pending& front = queue_.front();
    const std::size_t more = front.batch.appends.size() + front.batch.changes.size();
    if (!pendings.empty() && (bytes + front.bytes > kKafkaBatchBytesMax ||
                              records + more > TransactionalProducer::kRecordsMax)) {
      break;
    }
    bytes += front.bytes;
    records += more;
    queue_bytes_ -= front.bytes;
    pendings.push_back(std::move(front));
    queue_.pop_front();
  }
  // Everybody's position: a lane that is idle shows that it still can, one that is not fences with each transaction.
  for (auto at = partitions_.begin(); at != partitions_.end();) {
    const auto partition = at->second.lock();
    if (!partition || partition->ended()) {
      at = partitions_.erase(at);
      continue;
    }
    ++at;
    const auto has = [&](const Pending& pending) { return pending.partition == partition; };
    if (std::ranges::none_of(pendings, has)) {
      Pending& idle = pendings.emplace_back();
      idle.partition = partition;
      idle.done = [](const Result<Written>&) {};
    }
  }
  for (const Pending& pending : pendings) under_way_.push_back(pending.partition->partition());
  return pendings;
}

void TransactionLane::refuse_ended(std::vector<Pending>& pendings) {
  std::vector<Pending> ended;
  for (Pending& pending : pendings) {
    if (pending.partition->ended()) ended.push_back(std::move(pending));
  }
  std::erase_if(pendings, [](const Pending& pending) { return !pending.partition; });
  for (Pending& pending : ended)
    pending.done(fail(Errc::kFenced, "the partition has another owner"));
}

void TransactionLane::run(std::vector<Pending> pendings) {
  const Instant deadline = std::chrono::steady_clock::now() + env_.options.lease;
  while (!pendings.empty()) {
    const Metadata metadata(env_.metadata(), rd_kafka_consumer_group_metadata_destroy);
    refuse_ended(pendings);  // behind the metadata: see above
    if (pendings.empty()) return;

    sent_ = std::chrono::steady_clock::now();
    const Outcome outcome = metadata ? attempt(pendings, *metadata, deadline)
                                     : Outcome{TransactionEnd::kAborted, "no member of the group"};
    const Instant now = std::chrono::steady_clock::now();
    env_.metrics->transaction(outcome.end, now - sent_);
    if (outcome.end != TransactionEnd::kCommitted) {
      kLog.warning(
          "a transaction did not commit",
          {{"id", env_.producer.id}, {"outcome", outcome_name(outcome.end)}, {"why", outcome.why}});
    }
    const TransactionVerdict verdict = verdict_on(outcome.end, now >= deadline);
    // Another one has another epoch, so nothing of this one that is late is taken.
    if (verdict.ends_producer || !producer_->usable()) {
      env_.metrics->producer_replaced();
      ready_ = false;
      producer_.reset();
    }
    if (outcome.end == TransactionEnd::kFenced)
      begin_not_before_ = now + 2 * env_.options.heartbeat_interval();
    if (verdict.again) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (!verdict.code) return finish(std::move(pendings));
    return refuse(std::move(pendings), {verdict.code, outcome.why}, verdict.ends_ownership);
  }
}

TransactionLane::Outcome TransactionLane::attempt(
    std::vector<Pending>& pendings, const rd_kafka_consumer_group_metadata_s& metadata,
    Instant deadline) {
  std::vector<TransactionalProducer::Write> writes;
  TransactionalProducer::Positions positions;
  for (Pending& pending : pendings) {
    // Of two commits of a partition the later one has the later positions.
    for (const PositionChange& at : pending.partition->positions(pending.batch.positions)) {
      Offset& next = positions.try_emplace(at.where, at.next).first->second;
      const auto named =
          std::ranges::find(pending.batch.positions, at.where, &PositionChange::where);
      if (named != pending.batch.positions.end()) next = at.next;
    }
    pending.appended.assign(pending.batch.appends.size(), -1);
    pending.changed.assign(pending.batch.changes.size(), -1);
    for (std::size_t i = 0; i < pending.batch.appends.size(); ++i) {
      const Append& append = pending.batch.appends[i];
      writes.push_back({append.where, append.key, &append.value, &pending.appended[i]});
    }
    for (std::size_t i = 0; i < pending.batch.changes.size(); ++i) {
      const TableChange& change = pending.batch.changes[i];
      writes.push_back(
          {change.where, change.key, change.value ? &*change.value : nullptr, &pending.changed[i]});
    }
  }
  return producer_->run(writes, positions, &metadata, deadline);
}

Result<void> TransactionLane::apply(const std::vector<Pending>& pendings) {
  std::vector<TableChange> changes;
  std::map<TopicPartition, Offset> reached;
  for (const Pending& pending : pendings) {
    for (std::size_t i = 0; i < pending.batch.changes.size(); ++i) {
      const TableChange& change = pending.batch.changes[i];
      if (std::ranges::find(env_.tables, change.where.topic) == env_.tables.end()) continue;
      changes.push_back(change);
      reached[change.where] = std::max(reached[change.where], pending.changed[i] + 1);
    }
  }
  if (changes.empty()) return {};
  KILL_POINT("kafka.committed");
  std::vector<PositionChange> positions;
  for (const auto& [where, next] : reached) positions.push_back({where, next});
  const Instant deadline = std::chrono::steady_clock::now() + env_.options.lease;
  while (true) {
    auto applied = env_.copies->apply(changes, positions);
    if (applied || std::chrono::steady_clock::now() > deadline) return applied;
    std::this_thread::sleep_for(kPause);
  }
}

void TransactionLane::finish(std::vector<Pending> pendings) {
  if (auto applied = apply(pendings); !applied) {
    // It is in Kafka, and this process cannot show it: the partition is taken anew, from there.
    return refuse(std::move(pendings), {Errc::kUnknown, applied.error().to_string()}, true);
  }
  for (Pending& pending : pendings) {
    std::vector<PositionChange> shared;
    for (std::size_t i = 0; i < pending.batch.changes.size(); ++i) {
      const TopicPartition where = pending.batch.changes[i].where;
      if (!is_partition_owned(where.topic)) shared.push_back({where, pending.changed[i] + 1});
    }
    pending.partition->advance(pending.batch.positions, sent_);
    auto tell = [done = std::move(pending.done), offsets = std::move(pending.appended)]() mutable {
      done(Written{.offsets = std::move(offsets)});
    };
    if (shared.empty()) {
      tell();
    } else {
      env_.shared->when_applied(std::move(shared), std::move(tell));
    }
  }
}

// Of that ownership only: a later one of the same partition has nothing to do with it, and whoever has it would stop
// for good, because nobody ends it.
void TransactionLane::refuse_behind(const std::shared_ptr<OwnedPartition>& partition,
                                    std::vector<Pending>& to) {
  const std::lock_guard lock(mutex_);
  std::deque<Pending> kept;
  for (Pending& pending : queue_) {
    if (pending.partition == partition) {
      queue_bytes_ -= pending.bytes;
      to.push_back(std::move(pending));
    } else {
      kept.push_back(std::move(pending));
    }
  }
  queue_ = std::move(kept);
}

void TransactionLane::refuse(std::vector<Pending> pendings, const Error& error, bool ends) {
  std::vector<std::shared_ptr<OwnedPartition>> partitions;
  for (const Pending& pending : pendings) {
    if (std::ranges::find(partitions, pending.partition) == partitions.end()) {
      partitions.push_back(pending.partition);
    }
  }
  const std::size_t sent = pendings.size();
  if (ends) {
    for (const auto& partition : partitions) partition->end();
  }
  for (const auto& partition : partitions) refuse_behind(partition, pendings);
  for (std::size_t i = 0; i < pendings.size(); ++i) {
    // Those behind were not sent at all.
    const bool behind = i >= sent && error.code == Errc::kUnknown;
    pendings[i].done(fail(behind ? Error{Errc::kFenced, error.context} : error));
  }
  if (!ends) return;
  for (const auto& partition : partitions) env_.ended(partition);
}

void TransactionLane::ask_to_stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void TransactionLane::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace godwit::log
