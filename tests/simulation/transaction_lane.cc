#include "tests/simulation/transaction_lane.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/simulation/laws.h"
#include "tests/simulation/owned_partition.h"

namespace godwit::simulation {

using namespace std::chrono_literals;
using log::Errc;
using log::Offset;
using log::TopicPartition;
using log::TransactionEnd;

namespace {

constexpr Duration kCommitInterval = 100ms;
constexpr Duration kIdleInterval = 3s;
constexpr Duration kPause = 50ms;
constexpr Duration kConcurrentPause = 20ms;
constexpr Duration kBeginPause = 500ms;
constexpr Duration kRouting = 5s;
constexpr Duration kSending = 10s;

Result<log::Written> refused() {
  return fail(Errc::kFenced, "the partition has another owner");
}

}  // namespace

TransactionLane::TransactionLane(Environment environment)
    : env_(std::move(environment)), process_(env_.process) {
  producer_.name = env_.id;
  process_.spawn(work());
}

void TransactionLane::add(const std::shared_ptr<OwnedPartition>& partition) {
  partitions_[partition->partition()] = partition;
}

void TransactionLane::commit(std::shared_ptr<OwnedPartition> partition, log::Batch batch,
                             log::WriteDone done) {
  queue_.push_back({std::move(partition), std::move(batch), std::move(done), {}, {}});
  wake_.notify();
}

bool TransactionLane::busy(log::PartitionId partition) {
  std::deque<Pending> kept;
  bool busy = std::ranges::find(under_way_, partition) != under_way_.end();
  std::vector<Pending> ended;
  for (Pending& pending : queue_) {
    if (pending.partition->ended()) {
      ended.push_back(std::move(pending));
    } else {
      busy = busy || pending.partition->partition() == partition;
      kept.push_back(std::move(pending));
    }
  }
  queue_ = std::move(kept);
  for (Pending& pending : ended) pending.done(refused());
  return busy;
}

async::Task<void> TransactionLane::work() {
  const async::Shard& shard = process_.shard();
  Instant last = shard.now() - kIdleInterval;
  for (;;) {
    if (!begun_) {
      co_await begin();
      if (!begun_) co_await async::sleep_for(kBeginPause);
      continue;
    }
    if (queue_.empty()) (void)co_await wake_.wait(last + kIdleInterval);
    if (!queue_.empty()) co_await async::sleep_until(last + kCommitInterval);
    if (queue_.empty() && shard.now() < last + kIdleInterval) continue;
    last = shard.now();
    std::vector<Pending> pendings = next();
    if (!pendings.empty()) co_await run(std::move(pendings));
    under_way_.clear();
  }
}

async::Task<void> TransactionLane::begin() {
  struct Begun {
    Answer answer{};
    std::uint64_t epoch = 0;
  };
  const Duration timeout = env_.spec.tables.empty() ? kRouting : kSending;
  const auto begun = co_await ask<Begun>(process_, [this, timeout] {
    Begun result;
    result.answer = process_.cluster.brokers.begin(env_.id, result.epoch, timeout);
    return result;
  });
  if (!begun || begun->answer != Answer::kOk) co_return;
  producer_.epoch = begun->epoch;
  begun_ = true;
}

std::vector<TransactionLane::Pending> TransactionLane::next() {
  std::vector<Pending> pendings;
  while (!queue_.empty()) {
    pendings.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  for (auto at = partitions_.begin(); at != partitions_.end();) {
    const auto partition = at->second.lock();
    if (!partition || partition->ended()) {
      at = partitions_.erase(at);
      continue;
    }
    ++at;
    const auto has = [&](const Pending& pending) { return pending.partition == partition; };
    if (std::ranges::none_of(pendings, has)) {
      pendings.push_back({partition, {}, [](const Result<log::Written>&) {}, {}, {}});
    }
  }
  for (const Pending& pending : pendings) under_way_.push_back(pending.partition->partition());
  return pendings;
}

async::Task<void> TransactionLane::run(std::vector<Pending> pendings) {
  const Instant deadline = process_.shard().now() + OwnedPartition::kLease;
  while (!pendings.empty()) {
    std::vector<Pending> ended;
    for (Pending& pending : pendings) {
      if (pending.partition->ended()) ended.push_back(std::move(pending));
    }
    std::erase_if(pendings, [](const Pending& pending) { return !pending.partition; });
    for (Pending& pending : ended) pending.done(refused());
    if (pendings.empty()) co_return;

    TransactionEnd end{};
    if (process_.cluster.mutant == Mutant::kCommitBeforeWrite) {
      end = co_await attempt(pendings, Part::kPositions, deadline);
      if (end == TransactionEnd::kCommitted) {
        end = co_await attempt(pendings, Part::kRecords, deadline);
      }
    } else if (process_.cluster.mutant == Mutant::kMoveInTwo && !env_.spec.tables.empty()) {
      end = co_await attempt(pendings, Part::kButMoves, deadline);
      if (end == TransactionEnd::kCommitted) {
        end = co_await attempt(pendings, Part::kMoves, deadline);
      }
    } else {
      end = co_await attempt(pendings, Part::kAll, deadline);
    }
    const log::TransactionVerdict verdict =
        log::verdict_on(end, process_.shard().now() >= deadline);
    if (verdict.again) {
      co_await async::sleep_for(kPause);
      continue;
    }
    if (verdict.ends_producer) begun_ = false;
    if (!verdict.code) {
      finish(std::move(pendings));
    } else {
      process_.world().say(process_.name(), fmt::format("{}: a transaction did not commit: {}",
                                                        env_.id, verdict.code.message()));
      refuse(std::move(pendings), verdict);
    }
    co_return;
  }
}

async::Task<bool> TransactionLane::write(std::vector<Pending>& pendings, Part part,
                                         Instant deadline) {
  struct One {
    Pending* pending;
    std::size_t index;
    bool append;
  };
  std::map<TopicPartition, std::vector<One>> by_partition;
  for (Pending& pending : pendings) {
    pending.appended.resize(pending.batch.appends.size(), -1);
    pending.changed.resize(pending.batch.changes.size(), -1);
    for (std::size_t i = 0; i < pending.batch.appends.size(); ++i) {
      const log::Topic topic = pending.batch.appends[i].where.topic;
      const bool move = topic == log::Topic::kOutbound || topic == log::Topic::kOutboundUrgent;
      if (part == (move ? Part::kButMoves : Part::kMoves)) continue;
      by_partition[pending.batch.appends[i].where].push_back({&pending, i, true});
    }
    for (std::size_t i = 0; part != Part::kMoves && i < pending.batch.changes.size(); ++i) {
      by_partition[pending.batch.changes[i].where].push_back({&pending, i, false});
    }
  }
  for (const auto& [where, ones] : by_partition) {
    const bool forget = process_.cluster.mutant == Mutant::kForgetEvents &&
                        where.topic == log::Topic::kEvents && process_.world().chance(2);
    if (forget) continue;
    struct Record {
      std::string key;
      std::optional<Rope> value;
    };
    std::vector<Record> records;
    for (const One& one : ones) {
      const log::Batch& batch = one.pending->batch;
      if (one.append) {
        records.push_back({batch.appends[one.index].key, batch.appends[one.index].value});
      } else {
        records.push_back({batch.changes[one.index].key, batch.changes[one.index].value});
      }
    }
    // By value: the request is on its way even when its sender is dead.
    struct Written {
      Answer answer{};
      std::vector<Offset> offsets;
    };
    std::optional<Written> written;
    do {
      if (written) co_await async::sleep_for(kConcurrentPause);
      written =
          co_await ask<Written>(process_, [&brokers = process_.cluster.brokers,
                                           producer = producer_, place = where, records]() mutable {
            Written result{brokers.may_write(producer), {}};
            if (result.answer != Answer::kOk) return result;
            for (Record& record : records) {
              result.offsets.push_back(
                  brokers.write(producer, place, std::move(record.key), std::move(record.value)));
            }
            return result;
          });
    } while (written && written->answer == Answer::kConcurrent &&
             process_.shard().now() < deadline);
    if (!written || written->answer != Answer::kOk) co_return false;
    for (std::size_t i = 0; i < ones.size(); ++i) {
      auto& to = ones[i].append ? ones[i].pending->appended : ones[i].pending->changed;
      to[ones[i].index] = written->offsets[i];
    }
  }
  co_return true;
}

async::Task<TransactionEnd> TransactionLane::attempt(std::vector<Pending>& pendings, Part part,
                                                     Instant deadline) {
  // As it is when the transaction begins.
  const MemberId member = env_.member();
  if (part != Part::kPositions && !co_await write(pendings, part, deadline)) {
    co_return co_await give_up(TransactionEnd::kAborted, deadline);
  }
  if (part != Part::kRecords && part != Part::kMoves) {
    std::map<TopicPartition, Offset> positions;
    for (const Pending& pending : pendings) {
      const log::PositionChange at = pending.partition->position();
      positions.try_emplace(at.where, at.next);
      for (const log::PositionChange& change : pending.batch.positions) {
        positions[change.where] = change.next;
      }
    }
    std::vector<log::PositionChange> changes;
    for (const auto& [where, next] : positions) changes.push_back({where, next});
    std::optional<Answer> answer;
    do {
      if (answer) co_await async::sleep_for(kConcurrentPause);
      answer = co_await ask<Answer>(
          process_, [&brokers = process_.cluster.brokers, &group = env_.group, producer = producer_,
                     name = env_.spec.name, member, changes] {
            return brokers.positions(producer, name, group.known(member), changes);
          });
    } while (answer && *answer == Answer::kConcurrent && process_.shard().now() < deadline);
    if (!answer || *answer == Answer::kConcurrent) {
      co_return co_await give_up(TransactionEnd::kAborted, deadline);
    }
    if (*answer == Answer::kRejoined) {
      co_return co_await give_up(TransactionEnd::kRejoined, deadline);
    }
    if (*answer != Answer::kOk) co_return co_await give_up(TransactionEnd::kFenced, deadline);
  }
  for (;;) {
    const auto ended = co_await ask<Brokers::Ended>(
        process_, [&brokers = process_.cluster.brokers, producer = producer_] {
          return brokers.end(producer, true);
        });
    if (ended && ended->answer == Answer::kOk) {
      producer_.epoch = ended->epoch;
      co_return TransactionEnd::kCommitted;
    }
    // Somebody else has ended it, one way or the other.
    if (ended) co_return TransactionEnd::kUnknown;
    if (process_.shard().now() > deadline) co_return TransactionEnd::kUnknown;
  }
}

async::Task<TransactionEnd> TransactionLane::give_up(TransactionEnd end, Instant deadline) {
  for (;;) {
    const auto ended = co_await ask<Brokers::Ended>(
        process_, [&brokers = process_.cluster.brokers, producer = producer_] {
          return brokers.end(producer, false);
        });
    if (ended && ended->answer == Answer::kOk) {
      producer_.epoch = ended->epoch;
      co_return end;
    }
    if (ended || process_.shard().now() > deadline) break;
  }
  // Nobody commits it any more: the next producer of this id, or the broker after its timeout, aborts it.
  begun_ = false;
  co_return end == TransactionEnd::kRejoined ? TransactionEnd::kAborted : end;
}

void TransactionLane::finish(std::vector<Pending> pendings) {
  Disk& disk = process_.disk;
  for (const Pending& pending : pendings) {
    for (std::size_t i = 0; i < pending.batch.changes.size(); ++i) {
      const log::TableChange& change = pending.batch.changes[i];
      if (std::ranges::find(env_.spec.tables, change.where.topic) == env_.spec.tables.end()) {
        continue;
      }
      disk.apply(change.where, change.key,
                 change.value ? std::optional(change.value->to_string()) : std::nullopt);
      auto& mark = disk.at(change.where).mark;
      const Offset next = std::max(mark ? mark->next : 0, pending.changed[i] + 1);
      mark = log::CopyMark{"simulated retries 1", next, process_.world().clock().now()};
    }
  }
  if (process_.world().chance(10)) disk.flush();
  for (Pending& pending : pendings) {
    for (const log::PositionChange& change : pending.batch.positions) {
      pending.partition->advance(change);
    }
    process_.cluster.laws.committed(process_.life, pending.batch);
    pending.done(log::Written{.offsets = std::move(pending.appended)});
  }
}

void TransactionLane::refuse(std::vector<Pending> pendings,
                             const log::TransactionVerdict& verdict) {
  std::vector<std::shared_ptr<OwnedPartition>> partitions;
  for (const Pending& pending : pendings) {
    if (std::ranges::find(partitions, pending.partition) == partitions.end()) {
      partitions.push_back(pending.partition);
    }
  }
  if (verdict.ends_ownership) {
    for (const auto& partition : partitions) partition->end();
  }
  // A commit that fails takes those of its partition with it that wait behind it.
  const std::size_t sent = pendings.size();
  std::deque<Pending> kept;
  for (Pending& pending : queue_) {
    // Of the same ownership: a later one of the same partition has nothing to do with it.
    if (std::ranges::find(partitions, pending.partition) != partitions.end()) {
      pendings.push_back(std::move(pending));
    } else {
      kept.push_back(std::move(pending));
    }
  }
  queue_ = std::move(kept);
  for (std::size_t i = 0; i < pendings.size(); ++i) {
    const bool behind = i >= sent && verdict.code == Errc::kUnknown;
    pendings[i].done(fail(behind ? make_error_code(Errc::kFenced) : verdict.code, "simulated"));
  }
  if (!verdict.ends_ownership) return;
  for (const auto& partition : partitions) env_.ended(partition);
}

}  // namespace godwit::simulation
