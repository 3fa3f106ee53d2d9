#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/log/kafka/transactional_producer.h"
#include "common/log/log.h"

namespace godwit::log {

// Changes of shared tables and appends, together or not at all: a transaction for each call, one after the other. For
// decisions of people, not for mail.
//
// The client comes with the first call. Its transactional id is another one in each process: a process that takes over
// has nothing to fence, because what this one left open is aborted by the brokers after kTimeout.
// Bounds   kWaitingMax; at the bound kUnavailable at once
// Threads  write() any; completions run on a thread of this
class TableTransactions {
 public:
  static constexpr std::size_t kWaitingMax = 64;
  static constexpr std::chrono::seconds kTimeout{10};

  TableTransactions(const KafkaOptions& options, const TopicNames& names);
  ~TableTransactions();

  struct Place {
    std::vector<Offset> appended;
    std::vector<Offset> changed;
  };
  using Done = std::move_only_function<void(Result<Place>)>;
  // Errors: kTooLarge, kUnavailable, kClosed: nothing of it is there. kUnknown.
  void write(std::vector<TableChange> changes, std::vector<Append> appends, Done done);
  // What waits fails; blocks until what is under way has ended. Idempotent.
  void stop();

 private:
  struct Job {
    std::vector<TableChange> changes;
    std::vector<Append> appends;
    Done done;
  };
  void work();
  [[nodiscard]] Result<Place> run(const Job& job);
  [[nodiscard]] Result<void> begin(Instant deadline);

  const KafkaOptions options_;
  const TopicNames names_;
  const std::string id_;
  std::unique_ptr<TransactionalProducer> producer_;  // on the thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;  // from the first call on
};

}  // namespace godwit::log
