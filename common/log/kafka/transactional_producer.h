#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/log/kafka/client.h"
#include "common/log/ownership_rules.h"

struct rd_kafka_consumer_group_metadata_s;
struct rd_kafka_topic_s;

namespace godwit::log {

// One client with a transactional id: its transactions, one after the other, and how each came out.
//
//     TRY(auto producer, TransactionalProducer::make(...));
//     while (auto wait = producer->begin(); ...)      whoever had the id before is fenced then
//     producer->run(writes, positions, ...)           until usable() is false: then another is made
//
// Aborted     what has left no trace may be tried again, with another one when not usable() any more
// Indefinite  an outcome that is not known makes it unusable. What it may have left open is ended by
//             the next one of its id, or by the broker after `timeout`; and the next one has another
//             epoch, so requests of this one that are still on their way are refused
// Bounds      `queue_bytes` in one transaction
// Threads     belongs to one thread
class TransactionalProducer final : public ClientEvents {
 public:
  static constexpr std::size_t kRecordsMax = 100'000;  // of one transaction

  struct Settings {
    std::string id;  // transactional.id
    std::chrono::milliseconds timeout{};
    std::size_t queue_bytes = 0;
  };
  // Errors: kUnavailable.
  [[nodiscard]] static Result<std::unique_ptr<TransactionalProducer>> make(
      const KafkaOptions& options, const TopicNames& names, const Settings& settings);
  explicit TransactionalProducer(const TopicNames& names) : names_(names) {}
  ~TransactionalProducer() override;

  // Ends what a predecessor left open, and fences it. Blocks for kStep at most. Errors: kUnavailable,
  // to be asked again while usable().
  [[nodiscard]] Result<void> begin();

  struct Outcome {
    TransactionEnd end{};
    std::string why;
  };
  struct Write {
    TopicPartition where;
    std::string_view key;
    const Rope* value = nullptr;  // none: a tombstone
    Offset* offset = nullptr;     // is set by kCommitted
  };
  using Positions = std::map<TopicPartition, Offset>;
  // Writes and positions, or nothing of it. Without `group` there are no positions. Blocks, until
  // `deadline` and a little longer.
  [[nodiscard]] Outcome run(std::span<const Write> writes, const Positions& positions,
                            const rd_kafka_consumer_group_metadata_s* group, Instant deadline);
  [[nodiscard]] bool usable() const { return usable_; }

  void on_delivered(const rd_kafka_message_s& message) override;

 private:
  [[nodiscard]] int produce(const Write& write);
  [[nodiscard]] Outcome end(Instant deadline);
  [[nodiscard]] bool abort(Instant deadline);
  [[nodiscard]] Outcome give_up(int cause, bool fatal, std::string why, Instant deadline);
  [[nodiscard]] Outcome give_up(const KafkaError& error, Instant deadline);

  const TopicNames names_;
  std::vector<Bytes> values_;  // what the client sends from: outlives it
  Handle handle_;
  std::vector<rd_kafka_topic_s*> topics_;
  // Of records of the transaction under way.
  int failure_ = 0;
  bool maybe_there_ = false;  // one of those that failed was sent
  bool usable_ = true;
};

// For logs and metrics: "committed", "aborted", ...
[[nodiscard]] std::string_view outcome_name(TransactionEnd end);

}  // namespace godwit::log
