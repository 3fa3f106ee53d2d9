#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/log/kafka/metrics.h"
#include "common/log/kafka/shared_tables.h"
#include "common/log/kafka/table_copies.h"
#include "common/log/kafka/transactional_producer.h"

struct rd_kafka_consumer_group_metadata_s;

namespace godwit::log {

class OwnedPartition;

// One transactional producer and its thread: commits what the owners of its partitions hand in, all of it together,
// at most every `commit_interval`; what is idle commits its positions, several times within a lease. Each transaction
// carries the positions with the group's metadata, so that one of a process that is no member any more, or lost the
// partition, is refused.
//
// Order    a commit that fails takes those of its partition with it that wait behind it
// Fence    the metadata is fetched before it is asked whether a partition is still owned: a loss ends the partition
//          before the process joins again, so what is refused is never too little
// Fenced   it begins again when the group must have been told whether another process has this one's name: at once
//          would fence the other
// Bounds   kQueueBytesMax waiting; at the bound a commit fails at once with kUnavailable. A transaction that has not
//          ended after `lease` is kUnknown: its partitions are ended, and the producer is replaced
// Threads  any; completions run on the lane's thread, or one of the shared tables
class TransactionLane {
 public:
  static constexpr std::size_t kQueueBytesMax = 64u << 20;

  struct Environment {
    KafkaOptions options;
    TopicNames names;
    // Whoever comes later under the same id fences this.
    TransactionalProducer::Settings producer;
    std::shared_ptr<TableCopies> copies;
    SharedTables* shared = nullptr;
    std::shared_ptr<GroupMetrics> metrics;
    std::vector<Topic> tables;  // kept by the owner
    // Whose positions these are, now; nothing: no member. The lane destroys it.
    std::function<rd_kafka_consumer_group_metadata_s*()> metadata;
    // The lane ended this ownership: whoever shares out partitions takes it anew.
    std::function<void(const std::shared_ptr<OwnedPartition>&)> ended;
  };
  explicit TransactionLane(Environment environment);
  ~TransactionLane();

  // The producer of before is fenced, its open transaction ended: a partition can be taken.
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] std::string problem() const;

  // Of these the positions are committed now and then, with nothing else to commit.
  void add(const std::shared_ptr<OwnedPartition>& partition);
  void commit(std::shared_ptr<OwnedPartition> partition, Batch batch, std::size_t bytes,
              WriteDone done);
  // Is something of the partition waiting or under way? What waits of an ended one fails with kFenced.
  [[nodiscard]] bool busy(PartitionId partition);
  [[nodiscard]] std::size_t queue_bytes() const;
  // Nothing new is begun, and what waits fails.
  void ask_to_stop();
  // The same; blocks until what is under way has ended. Idempotent.
  void stop();

 private:
  using Outcome = TransactionalProducer::Outcome;
  struct Pending;

  void work();
  void begin();
  [[nodiscard]] std::vector<Pending> next();
  void run(std::vector<Pending> pendings);
  [[nodiscard]] Outcome attempt(std::vector<Pending>& pendings,
                                const rd_kafka_consumer_group_metadata_s& metadata,
                                Instant deadline);
  void finish(std::vector<Pending> pendings);
  void refuse_ended(std::vector<Pending>& pendings);
  [[nodiscard]] Result<void> apply(const std::vector<Pending>& pendings);
  void refuse(std::vector<Pending> pendings, const Error& error, bool ends);
  void refuse_behind(const std::shared_ptr<OwnedPartition>& partition, std::vector<Pending>& to);

  const Environment env_;
  std::unique_ptr<TransactionalProducer> producer_;  // on the thread, as what follows
  Instant begin_not_before_{};
  Instant sent_;  // the attempt under way
  std::atomic<bool> ready_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> queue_;
  std::size_t queue_bytes_ = 0;
  std::map<PartitionId, std::weak_ptr<OwnedPartition>> partitions_;
  std::vector<PartitionId> under_way_;
  std::string problem_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace godwit::log
