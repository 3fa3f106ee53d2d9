#include "common/log/kafka/transactional_producer.h"

#include <librdkafka/rdkafka.h>

#include <utility>

#include "common/base/check.h"
#include "common/base/kill_point.h"
#include "common/log/errc.h"

namespace godwit::log {
namespace {

constexpr int kStepMs = 1000;  // a call that takes longer is asked again, so that ends are seen
constexpr int kPauseMs = 50;
// A coordinator refuses the next transaction until the end of the one before stands in each of its partitions, some
// milliseconds behind its answer. Librdkafka's own 100 ms would be most of what a transaction takes.
constexpr std::chrono::milliseconds kBackoff{20};
constexpr std::chrono::milliseconds kBackoffMax{100};
constexpr char kEmpty[1] = {0};  // the value of a record that has none must not be a tombstone

bool is_over(Instant deadline) {
  return std::chrono::steady_clock::now() > deadline;
}

}  // namespace

std::string_view outcome_name(TransactionEnd end) {
  switch (end) {
    case TransactionEnd::kCommitted: return "committed";
    case TransactionEnd::kAborted: return "aborted";
    case TransactionEnd::kTooLarge: return "too_large";
    case TransactionEnd::kRejoined: return "rejoined";
    case TransactionEnd::kFenced: return "fenced";
    case TransactionEnd::kUnknown: return "unknown";
  }
  return {};
}

Result<std::unique_ptr<TransactionalProducer>> TransactionalProducer::make(
    const KafkaOptions& options, const TopicNames& names, const Settings& settings) {
  constexpr std::size_t kKibibyte = 1024;
  auto producer = std::make_unique<TransactionalProducer>(names);
  ClientConfig config(options, settings.id, *producer);
  // Positions are sent to the group's coordinator. After three answers that there is none the client waits until a
  // connection begins or ends, without a bound of its own: idle ones end soon, so that the wait does.
  config.set("transactional.id", settings.id)
      .set("connections.max.idle.ms", 2 * options.lease)
      .set("transaction.timeout.ms", settings.timeout)
      .set("message.timeout.ms", settings.timeout)
      .set("linger.ms", "5")
      .set("retry.backoff.ms", kBackoff)
      .set("retry.backoff.max.ms", kBackoffMax)
      .set("queue.buffering.max.messages", std::uint64_t{2 * kRecordsMax})
      .set("queue.buffering.max.kbytes", std::uint64_t{2 * settings.queue_bytes / kKibibyte});
  TRY(producer->handle_, std::move(config).make_producer());
  producer->topics_.resize(kTopicMax + 1);
  for (int topic = 1; topic <= kTopicMax; ++topic) {
    producer->topics_[static_cast<std::size_t>(topic)] = rd_kafka_topic_new(
        producer->handle_.get(), names.of(static_cast<Topic>(topic)).c_str(), nullptr);
  }
  return producer;
}

TransactionalProducer::~TransactionalProducer() {
  for (auto* topic : topics_) {
    if (topic != nullptr) rd_kafka_topic_destroy(topic);
  }
}

Result<void> TransactionalProducer::begin() {
  const KafkaError error(rd_kafka_init_transactions(handle_.get(), kStepMs));
  if (!error) return {};
  usable_ = rd_kafka_error_is_retriable(error.get()) != 0;
  const std::string complaint = this->complaint();
  return fail(Errc::kUnavailable,
              complaint.empty() ? std::string(rd_kafka_error_string(error.get())) : complaint);
}

void TransactionalProducer::on_delivered(const rd_kafka_message_s& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    *static_cast<Offset*>(message._private) = message.offset;
  } else {
    failure_ = message.err;
    // It was sent, and waited to be sent again when the transaction was aborted.
    if (rd_kafka_message_status(&message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) maybe_there_ = true;
  }
}

int TransactionalProducer::produce(const Write& write) {
  const Bytes value =
      write.value == nullptr ? Bytes() : values_.emplace_back(write.value->flatten());
  const void* octets = write.value == nullptr ? nullptr
                       : value.empty()        ? kEmpty
                                              : value.view().data();
  const int result = rd_kafka_produce(
      topics_[static_cast<std::size_t>(write.where.topic)],
      static_cast<std::int32_t>(write.where.partition), 0, const_cast<void*>(octets), value.size(),
      write.key.empty() ? nullptr : write.key.data(), write.key.size(), write.offset);
  return result == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

// True: the brokers know that it has ended without a trace. False: nobody goes on with it; the next
// producer of this id, or the broker after its timeout, aborts what is open.
//
// Librdkafka 2.15.1 takes records that it purges for never sent, and gives their sequence numbers to the next ones
// (rd_kafka_toppar_purge_queues). If the broker has them after all it takes the next ones for copies of them: it says
// that they are written, at the offsets of those that were aborted, and they are nowhere. Another epoch has numbers of
// its own.
bool TransactionalProducer::abort(Instant deadline) {
  while (usable_) {
    const KafkaError error(rd_kafka_abort_transaction(handle_.get(), kStepMs));
    if (!error) {
      usable_ = !maybe_there_;
      return true;
    }
    if (rd_kafka_error_is_retriable(error.get()) == 0 || is_over(deadline)) usable_ = false;
  }
  return false;
}

// Before its end was asked for: it cannot be there.
TransactionalProducer::Outcome TransactionalProducer::give_up(int cause, bool fatal,
                                                              std::string why, Instant deadline) {
  if (fatal) {
    usable_ = false;
    return {TransactionEnd::kFenced, std::move(why)};
  }
  const bool aborted = abort(deadline);
  // Of a record: why the broker did not take it. It may have come while the transaction was aborted.
  if (failure_ == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    return {TransactionEnd::kTooLarge, std::move(why)};
  switch (cause) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      return {aborted && usable_ ? TransactionEnd::kRejoined : TransactionEnd::kAborted,
              std::move(why)};
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return {TransactionEnd::kFenced, std::move(why)};
    default: return {TransactionEnd::kAborted, std::move(why)};
  }
}

TransactionalProducer::Outcome TransactionalProducer::give_up(const KafkaError& error,
                                                              Instant deadline) {
  return give_up(rd_kafka_error_code(error.get()), rd_kafka_error_is_fatal(error.get()) != 0,
                 rd_kafka_error_string(error.get()), deadline);
}

TransactionalProducer::Outcome TransactionalProducer::run(
    std::span<const Write> writes, const Positions& positions,
    const rd_kafka_consumer_group_metadata_s* group, Instant deadline) {
  constexpr std::size_t kPollEvery = 500;
  rd_kafka_t* const handle = handle_.get();
  CHECK(usable_, "a producer that is not usable");
  values_.clear();
  failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  maybe_there_ = false;
  if (const KafkaError error(rd_kafka_begin_transaction(handle)); error)
    return give_up(error, deadline);
  std::size_t produced = 0;
  for (const Write& write : writes) {
    if (++produced % kPollEvery == 0) rd_kafka_poll(handle, 0);
    while (const int code = produce(write)) {
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || is_over(deadline)) {
        return give_up(code, false, rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code)),
                       deadline);
      }
      rd_kafka_poll(handle, kPauseMs);
    }
  }
  if (group != nullptr) {
    PartitionList offsets = make_list();
    for (const auto& [where, next] : positions) {
      add_to(offsets, names_.of(where.topic), where.partition, next);
    }
    while (true) {
      const KafkaError error(
          rd_kafka_send_offsets_to_transaction(handle, offsets.get(), group, kStepMs));
      if (!error) break;
      if (rd_kafka_error_is_retriable(error.get()) == 0 || is_over(deadline))
        return give_up(error, deadline);
    }
  }
  if (group != nullptr && !writes.empty()) KILL_POINT("kafka.writes_sent");
  return end(deadline);
}

TransactionalProducer::Outcome TransactionalProducer::end(Instant deadline) {
  while (true) {
    const KafkaError error(rd_kafka_commit_transaction(handle_.get(), kStepMs));
    if (!error) return {TransactionEnd::kCommitted, {}};
    std::string why = rd_kafka_error_string(error.get());
    if (rd_kafka_error_txn_requires_abort(error.get()) != 0) {
      // A record that was not taken stops it before its end is asked for. Of anything else the
      // request may have come through, and only an abort that the broker takes says that it did not.
      if (failure_ != RD_KAFKA_RESP_ERR_NO_ERROR) return give_up(error, deadline);
      if (abort(deadline)) return {TransactionEnd::kAborted, std::move(why)};
      return {TransactionEnd::kUnknown, std::move(why)};
    }
    if (rd_kafka_error_is_fatal(error.get()) != 0 ||
        rd_kafka_error_is_retriable(error.get()) == 0 || is_over(deadline)) {
      usable_ = false;
      return {TransactionEnd::kUnknown, std::move(why)};
    }
  }
}

}  // namespace godwit::log
