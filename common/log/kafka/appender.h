#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/log/kafka/append_client.h"
#include "common/log/log.h"

namespace godwit::log {

// Whether the brokers take what is written, as seen by those who write.
struct WriteHealth {
  bool good = true;
  std::string problem;
};

// Writes outside transactions: what producers append, what shared tables change. A few clients, each with its own
// partitions: a client has one request under way at a broker, which is of one partition, and others would wait for it.
//
// Bounds   `producer_bytes` and kRecordsMax under way; at the bound a write fails at once with kUnavailable. A write
//          that is not answered in AppendClient::kAnswerMax fails: kUnavailable when nothing of it can be there, else
//          kUnknown
// Threads  write() any; completions run on the clients' threads, or the caller's
class Appender {
 public:
  static constexpr std::size_t kRecordsMax = 100'000;
  static constexpr std::size_t kClients = 4;

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
  struct Write;
  explicit Appender(const KafkaOptions& options) : options_(options) {}
  [[nodiscard]] bool reserve(std::size_t records, std::size_t bytes);
  void answered(Write& write);
  [[nodiscard]] static std::size_t client_of(TopicPartition where);

  const KafkaOptions options_;
  mutable std::mutex mutex_;
  std::string problem_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> records_{0};
  std::atomic<bool> closed_{false};
  std::vector<std::unique_ptr<AppendClient>> clients_;
};

// The errors of records and changes that no log takes: kTooLarge.
[[nodiscard]] std::optional<Error> too_large(std::string_view key, std::size_t value_bytes);

}  // namespace godwit::log
