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

// A reading client and its thread: partitions that were attached are read, each into its sink, from a number on.
//
// Begin    librdkafka is never told to begin at its notion of the end or of a group's position: a seek that overtakes
//          the broker's answer makes it ask again and jump there half a second later, over what was not read until then
// Bounds   librdkafka reads ahead `prefetch_bytes`; a sink that says no is paused
// Threads  attach(), detach(), resume(), seek(), stop() any; everything else happens on the consumer's thread
class KafkaConsumer {
 public:
  // `fetch_wait`: how long a broker may keep a request for records that are not there yet, and with it whatever this
  // consumer attaches next at that broker.
  [[nodiscard]] static Result<std::unique_ptr<KafkaConsumer>> start(
      const KafkaOptions& options, const TopicNames& names, std::string_view purpose,
      std::chrono::milliseconds fetch_wait = std::chrono::milliseconds(500));
  ~KafkaConsumer();

  void attach(TopicPartition where, Offset from, std::shared_ptr<RecordSink> sink);
  void detach(TopicPartition where);
  void resume(TopicPartition where);
  void seek(TopicPartition where, Offset to);
  // Idempotent; blocks.
  void stop();
  [[nodiscard]] rd_kafka_s* handle() const { return handle_.get(); }
  [[nodiscard]] const ClientEvents& events() const;

 private:
  struct Attached {
    std::shared_ptr<RecordSink> sink;
    Offset from = 0;
    bool paused = false;
    bool placed = false;  // the client reads from where it shall
  };

  explicit KafkaConsumer(const TopicNames& names) : names_(names) {}
  // Runs `work` on the consumer's thread, in order with what was asked before.
  void run(std::move_only_function<void()> work);
  void work();
  void run_asked();
  void place();
  void go_on(TopicPartition where);
  void take(const rd_kafka_message_s& message);
  [[nodiscard]] PartitionList list_of(TopicPartition where, Offset offset) const;

  const TopicNames names_;
  ClientEvents events_;
  Handle handle_;
  rd_kafka_queue_s* queue_ = nullptr;

  // On the thread only.
  std::map<TopicPartition, Attached> attached_;
  std::set<TopicPartition> unplaced_;  // have to be sought
  std::vector<std::shared_ptr<RecordSink>> touched_;

  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> asked_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace godwit::log
