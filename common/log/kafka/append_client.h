#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "common/log/kafka/client.h"
#include "common/observe/metrics.h"

namespace godwit::log {

// An idempotent client that writes outside transactions, acks=all, and the thread that hears its answers. What comes for
// a partition while others of it are under way goes out together, once these are answered: librdkafka takes no more than
// five records of a partition at a time, and turns in circles while there are others.
//
// Bounds   a record that is not answered in kAnswerMax fails, and those that wait behind it
// Errors   a client that reports a fatal error is replaced, and so is one that gave up a record which may be there; what
//          it had under way is in doubt
// Once     nothing is written twice when a leader dies with answers under way: one request at a time for each broker
// Threads  produce() any; answers come on the client's own
class AppendClient {
 public:
  static constexpr std::chrono::seconds kAnswerMax{10};

  struct Lane;
  // Stays where it is, with what it names, until it is answered.
  struct Record {
    TopicPartition where;
    std::string_view key;
    std::optional<std::string_view> value;  // none: a tombstone
    Lane* lane = nullptr;                   // the client's
  };
  // What became of one.
  struct Answer {
    Offset offset = -1;          // of one that is there
    std::optional<Error> error;  // of another: kTooLarge, kUnavailable
    bool in_doubt = false;       // with an error: it may be there all the same
  };
  // Called once for each record, also from within produce().
  using Answered = std::function<void(Record& record, const Answer& answer)>;

  // `records_max`: so many will be under way at a time, with `options.producer_bytes` at most.
  [[nodiscard]] static Result<std::unique_ptr<AppendClient>> open(const KafkaOptions& options,
                                                                  const TopicNames& names,
                                                                  std::size_t records_max,
                                                                  Answered answered);
  ~AppendClient();

  void produce(const std::vector<Record*>& records);

  // Blocks until what is under way is answered. Nothing may be produced any more. Idempotent.
  void close();

 private:
  class Connection;
  struct Refused {
    Record* record = nullptr;
    Error error;
  };
  AppendClient(const KafkaOptions& options, const TopicNames& names, std::size_t records_max,
               Answered answered);
  [[nodiscard]] Result<std::unique_ptr<Connection>> connect();
  void work();
  void replace();
  void delivered(const rd_kafka_message_s& message);
  void hand_over(Record& record, std::vector<Refused>& refused);
  void answer(const std::vector<Refused>& refused);

  const KafkaOptions options_;
  const TopicNames names_;
  const std::size_t records_max_;
  const Answered answered_;
  observe::Counter& replaced_;
  std::mutex mutex_;
  std::unique_ptr<Connection> connection_;  // changed by the client's thread only, with the mutex
  std::map<TopicPartition, Lane> lanes_;
  std::uint64_t calls_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace godwit::log
