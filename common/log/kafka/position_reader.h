#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "common/log/kafka/consumer.h"

namespace godwit::log {

// Reads single records by their position: content that is not in the record that needs it. A fetch of its own for
// each, partition by partition one after the other.
//
// Bounds   kWaitingMax; at the bound kUnavailable at once
// Threads  read() any; completions run on the reader's thread
class PositionReader {
 public:
  static constexpr std::size_t kWaitingMax = 1024;
  PositionReader(const KafkaOptions& options, const TopicNames& names);
  ~PositionReader();
  // Errors: kNotFound, kCorrupt, kUnavailable, kClosed.
  void read(RecordPosition position, ReadDone done);
  // Whoever waits is answered with kClosed. Idempotent; blocks.
  void stop();

 private:
  class One;
  struct Waiting {
    Offset offset = 0;
    ReadDone done;
  };
  void begin(TopicPartition where, Offset offset);
  void answer(TopicPartition where, Result<Record> result);

  const KafkaOptions options_;
  const TopicNames names_;
  std::mutex mutex_;
  std::map<TopicPartition, std::deque<Waiting>> waiting_;  // the first of each is being read
  std::size_t count_ = 0;
  bool stopped_ = false;
  std::unique_ptr<KafkaConsumer> consumer_;  // from the first read on
};

}  // namespace godwit::log
