#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/log/kafka/client.h"
#include "common/log/log.h"

struct rd_kafka_queue_s;

namespace godwit::log {

// Where the records of one partition go. Called on the consumer's thread, until what detach() asks for was done.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // False: no more for now; the consumer reads on after resume().
  virtual bool on_record(Record record, bool tombstone) = 0;
  // Everything below `next` that can be read was given.
  virtual void on_end(Offset /*next*/) {}
  // What was given since the last time may be worked on as one.
  virtual void on_pause() {}
  // A seek() of this partition is under way: what comes next is from there.
  virtual void on_seek() {}
  virtual void on_failure(Error error) = 0;
};

// A reading client and its thread: partitions that were attached are read, each into its sink.
//
// Partitions are assigned by hand (attach), or by the group whose member it is; then attach() says from where, and
// that the partition is read at all.
// Bounds   librdkafka reads ahead `prefetch_bytes`; a sink that says no is paused
// Threads  attach(), detach(), resume(), seek(), run() any; everything else happens on the consumer's thread
class KafkaConsumer {
 public:
  struct Membership {
    std::string group;
    Topic subscribed{};
    // On the consumer's thread.
    std::function<void(const std::vector<PartitionId>&)> assigned;
    // The same; answered by release() then or later, except after stop().
    std::function<void(const std::vector<PartitionId>&, bool lost)> revoked;
    // The same: this client is no member any more, and will not be one again.
    std::function<void(std::string problem)> failed;
    // Now and then, on the consumer's thread.
    std::function<void()> tick;
  };

  // `fetch_wait`: how long a broker may keep a request for records that are not there yet, and with it whatever this
  // consumer attaches next at that broker.
  [[nodiscard]] static Result<std::unique_ptr<KafkaConsumer>> start(
      const KafkaOptions& options, const TopicNames& names, std::string_view purpose,
      std::chrono::milliseconds fetch_wait = std::chrono::milliseconds(500));
  [[nodiscard]] static Result<std::unique_ptr<KafkaConsumer>> join(const KafkaOptions& options,
                                                                   const TopicNames& names,
                                                                   Membership membership);
  ~KafkaConsumer();

  void attach(TopicPartition where, Offset from, std::shared_ptr<RecordSink> sink);
  void detach(TopicPartition where);
  void resume(TopicPartition where);
  void seek(TopicPartition where, Offset to);
  // Runs `work` on the consumer's thread, in order with what was asked before.
  void run(std::move_only_function<void()> work);

  // Of a member, on the consumer's thread.
  void release(const std::vector<PartitionId>& partitions);
  [[nodiscard]] bool assignment_lost() const;
  // Threads: any.
  [[nodiscard]] bool is_member() const;

  // Of a member: gives its place back, so that others get its partitions at once; stop() comes next. What it had is
  // not told to `revoked`. Blocks, until `deadline`.
  void leave(Instant deadline);
  // Stops reading; a static member keeps its place in the group. Idempotent; blocks.
  void stop();
  [[nodiscard]] rd_kafka_s* handle() const { return handle_.get(); }
  [[nodiscard]] const ClientEvents& events() const;

 private:
  class Events;
  struct Attached {
    std::shared_ptr<RecordSink> sink;
    Offset from = 0;
    bool paused = false;
    bool placed = false;  // the client reads from where it shall
  };

  KafkaConsumer(const TopicNames& names, std::optional<Membership> membership);
  [[nodiscard]] Result<void> begin(ClientConfig config);
  void work();
  void run_asked();
  void place();
  void go_on(TopicPartition where);
  void take(const rd_kafka_message_s& message);
  void rebalance(bool assigned, rd_kafka_topic_partition_list_s& partitions);
  [[nodiscard]] bool subscribes(TopicPartition where) const {
    return membership_ && membership_->subscribed == where.topic;
  }
  [[nodiscard]] PartitionList list_of(TopicPartition where, Offset offset) const;

  const TopicNames names_;
  const std::optional<Membership> membership_;
  std::unique_ptr<Events> events_;
  Handle handle_;
  rd_kafka_queue_s* queue_ = nullptr;

  // On the thread only.
  std::map<TopicPartition, Attached> attached_;
  std::set<TopicPartition> assigned_;
  std::set<TopicPartition> stands_;  // of those: the client has come to where it was told to begin
  std::set<TopicPartition> unplaced_;
  std::vector<std::shared_ptr<RecordSink>> touched_;

  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> asked_;
  std::atomic<bool> leaving_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace godwit::log
