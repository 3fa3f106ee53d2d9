#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/log/kafka/client.h"
#include "common/log/log.h"

namespace godwit::log {

// Whether the brokers take what is written, as seen by those who write.
struct WriteHealth {
  bool good = true;
  std::string problem;
};

// Writes outside transactions: what producers append, what shared tables change. One idempotent client, acks=all.
//
// Bounds   `producer_bytes` and kRecordsMax under way; at the bound a write fails at once with kUnavailable. A write
//          that is not answered in kAnswerMax fails: kUnavailable when nothing of it can be there, else kUnknown
// Errors   a client that reports a fatal error is replaced, and so is one that gave up a record which may be there; what
//          it had under way is kUnknown
// Once     nothing is written twice when a leader dies with answers under way: one request at a time for each broker
// Threads  write() any; completions run on the appender's thread
class Appender {
 public:
  static constexpr std::size_t kRecordsMax = 100'000;
  static constexpr std::chrono::seconds kAnswerMax{10};

  [[nodiscard]] static Result<std::unique_ptr<Appender>> open(const KafkaOptions& options,
                                                              const TopicNames& names);
  ~Appender();

  // One record of a topic, or one change of a table; a tombstone has no value.
  struct Entry {
    TopicPartition where;
    std::string key;
    std::optional<Rope> value;
  };
  void write(std::vector<Entry> entries, WriteDone done);

  [[nodiscard]] WriteHealth health() const;
  // What is under way.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t records() const { return records_; }
  // Blocks until what is under way is answered; later writes fail with kClosed. Idempotent.
  void close();

 private:
  class Client;
  struct Write;
  Appender(const KafkaOptions& options, const TopicNames& names);
  void work();
  void replace();
  [[nodiscard]] bool reserve(std::size_t records, std::size_t bytes);
  void answered(Write& write);
  [[nodiscard]] std::shared_ptr<Client> client() const;

  const KafkaOptions options_;
  const TopicNames names_;
  mutable std::mutex mutex_;
  std::shared_ptr<Client> client_;
  std::string problem_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> records_{0};
  std::atomic<bool> closed_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// The errors of records and changes that no log takes: kTooLarge.
[[nodiscard]] std::optional<Error> too_large(std::string_view key, std::size_t value_bytes);

}  // namespace godwit::log
