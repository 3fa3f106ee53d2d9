#include "common/log/kafka/transaction_lane.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/kafka/owned_partition.h"
#include "common/log/ownership_rules.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

constexpr std::chrono::milliseconds kIdleInterval = 3s;
constexpr std::chrono::milliseconds kPause = 50ms;
constexpr std::chrono::milliseconds kBeginPause = 500ms;
constexpr int kStepMs = 1000;  // a call that takes longer is asked again, so that ends are seen
constexpr std::size_t kTransactionRecordsMax = 100'000;
constexpr char kEmpty[1] = {0};

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

struct TransactionLane::Attempt {
  TransactionEnd ended{};
  std::string why;
};

class TransactionLane::Producer final : public ClientEvents {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Producer>> make(const Environment& env) {
    auto producer = std::make_unique<Producer>();
    ClientConfig config(env.options, env.id, *producer);
    config.set("transactional.id", env.id)
        .set("transaction.timeout.ms", env.timeout)
        .set("message.timeout.ms", env.timeout)
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", std::uint64_t{2 * kTransactionRecordsMax})
        .set("queue.buffering.max.kbytes", std::uint64_t{kQueueBytesMax / 512});
    TRY(producer->handle_, std::move(config).make_producer());
    producer->topics_.resize(kTopicMax + 1);
    for (int topic = 1; topic <= kTopicMax; ++topic) {
      producer->topics_[static_cast<std::size_t>(topic)] = rd_kafka_topic_new(
          producer->handle_.get(), env.names.of(static_cast<Topic>(topic)).c_str(), nullptr);
    }
    return producer;
  }
  ~Producer() override {
    for (auto* topic : topics_) {
      if (topic != nullptr) rd_kafka_topic_destroy(topic);
    }
  }
  [[nodiscard]] rd_kafka_t* handle() const { return handle_.get(); }

  // The offset is known at the end of the transaction.
  [[nodiscard]] rd_kafka_resp_err_t produce(TopicPartition where, const std::string& key,
                                            const Bytes* value, Offset& offset) {
    const void* octets = value == nullptr ? nullptr
                         : value->empty() ? kEmpty
                                          : value->view().data();
    const int result = rd_kafka_produce(
        topics_[static_cast<std::size_t>(where.topic)], static_cast<std::int32_t>(where.partition),
        0, const_cast<void*>(octets), value == nullptr ? 0 : value->size(),
        key.empty() ? nullptr : key.data(), key.size(), &offset);
    return result == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
  }
  void on_delivered(const rd_kafka_message_s& message) override {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      *static_cast<Offset*>(message._private) = message.offset;
    } else {
      failure_ = message.err;
    }
  }
  // What the client sends from, of the transaction under way: it outlives the client.
  [[nodiscard]] std::vector<Bytes>& values() { return values_; }
  [[nodiscard]] rd_kafka_resp_err_t take_failure() {
    return std::exchange(failure_, RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  std::vector<Bytes> values_;
  Handle handle_;
  std::vector<rd_kafka_topic_t*> topics_;
  rd_kafka_resp_err_t failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;
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
  Instant last_start{};
  while (true) {
    if (!producer_) begin();
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return stopping_ || !queue_.empty(); };
      if (!producer_) {
        // What waits is not written, and cannot be now.
        if (stopping_) break;
        changed_.wait_for(lock, kBeginPause, [this] { return stopping_; });
        continue;
      }
      changed_.wait_until(lock, last_start + kIdleInterval, wanted);
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

void TransactionLane::begin() {
  ready_ = false;
  auto made = Producer::make(env_);
  std::string problem;
  if (!made) {
    problem = made.error().to_string();
  } else {
    // Ends what a predecessor left open, and fences it. Asked again if it takes long.
    const KafkaError error(
        rd_kafka_init_transactions((*made)->handle(), static_cast<int>(env_.timeout.count())));
    if (error) {
      problem = rd_kafka_error_string(error.get());
    } else {
      producer_ = *std::move(made);
    }
  }
  if (!problem.empty()) {
    kLog.warning("a transactional producer cannot begin", {{"id", env_.id}, {"problem", problem}});
  }
  const std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
  ready_ = producer_ != nullptr;
}

std::vector<TransactionLane::Pending> TransactionLane::next() {
  std::vector<Pending> pendings;
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  std::size_t records = 0;
  while (!queue_.empty()) {
    Pending& front = queue_.front();
    const std::size_t more = front.batch.appends.size() + front.batch.changes.size();
    if (!pendings.empty() &&
        (bytes + front.bytes > kKafkaBatchBytesMax || records + more > kTransactionRecordsMax)) {
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

void TransactionLane::run(std::vector<Pending> pendings) {
  const Instant deadline = std::chrono::steady_clock::now() + env_.options.lease;
  while (!pendings.empty()) {
    std::vector<Pending> ended;
    for (Pending& pending : pendings) {
      if (pending.partition->ended()) ended.push_back(std::move(pending));
    }
    std::erase_if(pendings, [](const Pending& pending) { return !pending.partition; });
    for (Pending& pending : ended)
      pending.done(fail(Errc::kFenced, "the partition has another owner"));
    if (pendings.empty()) return;

    const Attempt attempted = attempt(pendings, deadline);
    if (attempted.ended != TransactionEnd::kCommitted) {
      kLog.warning("a transaction did not commit", {{"id", env_.id}, {"why", attempted.why}});
    }
    const bool late = std::chrono::steady_clock::now() >= deadline;
    const TransactionVerdict verdict = verdict_on(attempted.ended, late);
    if (verdict.again) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (verdict.ends_producer) {
      producer_.reset();
      ready_ = false;
    }
    if (!verdict.code) return finish(std::move(pendings));
    return refuse(std::move(pendings), {verdict.code, attempted.why}, verdict.ends_ownership);
  }
}

TransactionLane::Attempt TransactionLane::attempt(std::vector<Pending>& pendings,
                                                  Instant deadline) {
  rd_kafka_t* const handle = producer_->handle();
  const auto over = [&] { return std::chrono::steady_clock::now() > deadline; };

  // Ends the transaction without a trace, and says what its failure means.
  const auto give_up = [&](rd_kafka_resp_err_t cause, bool fatal, std::string why) -> Attempt {
    const rd_kafka_resp_err_t of_record = producer_->take_failure();
    if (fatal) return {TransactionEnd::kFenced, std::move(why)};
    while (true) {
      const KafkaError error(rd_kafka_abort_transaction(handle, kStepMs));
      if (!error) break;
      // Nobody commits it any more: the next producer of this id, or the broker after its timeout, aborts it.
      if (!rd_kafka_error_is_retriable(error.get()) || over()) {
        producer_.reset();
        ready_ = false;
        break;
      }
    }
    if (of_record == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
      return {TransactionEnd::kTooLarge, std::move(why)};
    switch (cause) {
      case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
      case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        return {producer_ ? TransactionEnd::kRejoined : TransactionEnd::kAborted, std::move(why)};
      case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
      case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return {TransactionEnd::kFenced, std::move(why)};
      default: return {TransactionEnd::kAborted, std::move(why)};
    }
  };
  const auto give_up_for = [&](const KafkaError& error) {
    return give_up(rd_kafka_error_code(error.get()), rd_kafka_error_is_fatal(error.get()) != 0,
                   rd_kafka_error_string(error.get()));
  };

  const Metadata metadata(env_.metadata(), rd_kafka_consumer_group_metadata_destroy);
  if (!metadata) return {TransactionEnd::kAborted, "no member of the group"};
  if (const KafkaError error(rd_kafka_begin_transaction(handle)); error) return give_up_for(error);

  std::vector<Bytes>& values = producer_->values();
  values.clear();
  std::map<TopicPartition, Offset> positions;
  std::size_t produced = 0;
  const auto produce = [&](TopicPartition where, const std::string& key, const Bytes* value,
                           Offset& offset) -> rd_kafka_resp_err_t {
    constexpr std::size_t kPollEvery = 500;
    if (++produced % kPollEvery == 0) rd_kafka_poll(handle, 0);
    while (true) {
      const rd_kafka_resp_err_t code = producer_->produce(where, key, value, offset);
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || over()) return code;
      rd_kafka_poll(handle, static_cast<int>(kPause.count()));
    }
  };
  for (Pending& pending : pendings) {
    const PositionChange at = pending.partition->position();
    positions.try_emplace(at.where, at.next);
    for (const PositionChange& change : pending.batch.positions)
      positions[change.where] = change.next;
    pending.appended.assign(pending.batch.appends.size(), -1);
    pending.changed.assign(pending.batch.changes.size(), -1);
    for (std::size_t i = 0; i < pending.batch.appends.size(); ++i) {
      const Append& append = pending.batch.appends[i];
      const Bytes kept = values.emplace_back(append.value.flatten());
      if (const auto code = produce(append.where, append.key, &kept, pending.appended[i])) {
        return give_up(code, false, rd_kafka_err2str(code));
      }
    }
    for (std::size_t i = 0; i < pending.batch.changes.size(); ++i) {
      const TableChange& change = pending.batch.changes[i];
      Bytes kept;
      if (change.value) kept = values.emplace_back(change.value->flatten());
      if (const auto code = produce(change.where, change.key, change.value ? &kept : nullptr,
                                    pending.changed[i])) {
        return give_up(code, false, rd_kafka_err2str(code));
      }
    }
  }

  PartitionList offsets = make_list();
  for (const auto& [where, next] : positions) {
    add_to(offsets, env_.names.of(where.topic), where.partition, next);
  }
  while (true) {
    const KafkaError error(
        rd_kafka_send_offsets_to_transaction(handle, offsets.get(), metadata.get(), kStepMs));
    if (!error) break;
    if (!rd_kafka_error_is_retriable(error.get()) || over()) return give_up_for(error);
  }
  while (true) {
    const KafkaError error(rd_kafka_commit_transaction(handle, kStepMs));
    if (!error) return {TransactionEnd::kCommitted, {}};
    if (rd_kafka_error_txn_requires_abort(error.get())) return give_up_for(error);
    if (rd_kafka_error_is_fatal(error.get()) || !rd_kafka_error_is_retriable(error.get()) ||
        over()) {
      return {TransactionEnd::kUnknown, rd_kafka_error_string(error.get())};
    }
  }
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
    for (const PositionChange& change : pending.batch.positions) pending.partition->advance(change);
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

void TransactionLane::refuse_behind(PartitionId partition, std::vector<Pending>& to) {
  const std::lock_guard lock(mutex_);
  std::deque<Pending> kept;
  for (Pending& pending : queue_) {
    if (pending.partition->partition() == partition) {
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
  for (const auto& partition : partitions) refuse_behind(partition->partition(), pendings);
  for (std::size_t i = 0; i < pendings.size(); ++i) {
    // Those behind were not sent at all.
    const bool behind = i >= sent && error.code == Errc::kUnknown;
    pendings[i].done(fail(behind ? Error{Errc::kFenced, error.context} : error));
  }
  if (!ends) return;
  for (const auto& partition : partitions) env_.ended(partition);
}

void TransactionLane::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace godwit::log
