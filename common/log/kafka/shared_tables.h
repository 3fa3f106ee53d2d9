#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "common/log/kafka/appender.h"
#include "common/log/kafka/consumer.h"
#include "common/log/kafka/table_copies.h"
#include "common/log/kafka/table_transactions.h"

namespace godwit::log {

// The tables that this process reads whole, each once, whoever opens it.
//
// Threads  any; watchers and waiters are called on the thread of the one consumer that reads all of them
class SharedTables {
 public:
  SharedTables(const KafkaOptions& options, const TopicNames& names, const KafkaTopics& topics,
               KafkaAdmin& admin, Appender& appender, TableTransactions& transactions,
               std::shared_ptr<TableCopies> copies);
  ~SharedTables();

  // Blocks for the question where the table ends now.
  [[nodiscard]] Result<std::unique_ptr<SharedTable>> open(Topic topic);
  // Calls `then` when the copies that are open here have everything below `reached`; at once if none is open.
  void when_applied(std::vector<PositionChange> reached, std::move_only_function<void()> then);
  // Nothing is read any more; who waits is answered. Idempotent; blocks.
  void stop();

  class Copy;  // shared_tables.cc

 private:
  [[nodiscard]] std::shared_ptr<Copy> find(Topic topic) const;

  const KafkaOptions options_;
  const TopicNames names_;
  const KafkaTopics topics_;
  KafkaAdmin& admin_;
  Appender& appender_;
  TableTransactions& transactions_;
  const std::shared_ptr<TableCopies> copies_;
  mutable std::mutex mutex_;
  std::map<Topic, std::shared_ptr<Copy>> open_;
  std::unique_ptr<KafkaConsumer> consumer_;
  bool stopped_ = false;
};

}  // namespace godwit::log
