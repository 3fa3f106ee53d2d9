#include "common/log/kafka/consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

constexpr int kPollMs = 200;
constexpr int kSeekMs = 1000;
constexpr std::size_t kPrefetchKilobytes = 16 * 1024;
constexpr std::size_t kFetchBytesMax = 8u << 20;
// Records that are given to sinks before those hear on_pause().
constexpr int kRunMax = 1000;

ClientConfig& reading(ClientConfig& config, std::chrono::milliseconds fetch_wait) {
  return config.set("enable.auto.commit", "false")
      .set("enable.auto.offset.store", "false")
      .set("isolation.level", "read_committed")
      .set("auto.offset.reset", "error")
      .set("enable.partition.eof", "true")
      .set("check.crcs", "true")
      .set("fetch.wait.max.ms", fetch_wait)
      .set("fetch.error.backoff.ms", "100")
      .set("fetch.queue.backoff.ms", "50")
      .set("fetch.max.bytes", std::uint64_t{kFetchBytesMax})
      .set("queued.max.messages.kbytes", std::uint64_t{kPrefetchKilobytes});
}

Record record_of(const rd_kafka_message_t& message) {
  Record record;
  record.offset = message.offset;
  record.time = from_unix_ms(rd_kafka_message_timestamp(&message, nullptr));
  record.key.assign(static_cast<const char*>(message.key), message.key_len);
  // Copied: a view would keep the whole response of the broker in memory, whatever the record's size.
  record.value = Bytes::copy_of({static_cast<const char*>(message.payload), message.len});
  return record;
}

}  // namespace

KafkaConsumer::~KafkaConsumer() {
  stop();
}

Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::start(const KafkaOptions& options,
                                                            const TopicNames& names,
                                                            std::string_view purpose,
                                                            std::chrono::milliseconds fetch_wait) {
  std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer(names));
  ClientConfig config(options, purpose, consumer->events_);
  // A group that never has members: librdkafka's assignment by hand wants a name.
  reading(config, fetch_wait).set("group.id", names.prefix() + "readers");
  TRY(consumer->handle_, std::move(config).make_consumer(false));
  consumer->queue_ = rd_kafka_queue_get_consumer(consumer->handle_.get());
  consumer->thread_ = std::thread([at = consumer.get()] { at->work(); });
  return consumer;
}

void KafkaConsumer::run(std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(std::move(work));
  }
  rd_kafka_queue_yield(queue_);
}

PartitionList KafkaConsumer::list_of(TopicPartition where, Offset offset) const {
  PartitionList list = make_list();
  add_to(list, names_.of(where.topic), where.partition, offset);
  return list;
}

void KafkaConsumer::attach(TopicPartition where, Offset from, std::shared_ptr<RecordSink> sink) {
  run([this, where, from, sink = std::move(sink)]() mutable {
    CHECK(!attached_.contains(where), "{} {}", names_.of(where.topic), where.partition);
    attached_[where] = {.sink = std::move(sink), .from = from, .placed = true};
    const PartitionList list = list_of(where, from);
    const KafkaError error(rd_kafka_incremental_assign(handle_.get(), list.get()));
    CHECK(!error, "{}", rd_kafka_error_string(error.get()));
  });
}

void KafkaConsumer::detach(TopicPartition where) {
  run([this, where] {
    go_on(where);  // a pause outlives an assignment
    if (attached_.erase(where) == 0) return;
    unplaced_.erase(where);
    const PartitionList list = list_of(where, RD_KAFKA_OFFSET_INVALID);
    const KafkaError error(rd_kafka_incremental_unassign(handle_.get(), list.get()));
    CHECK(!error, "{}", rd_kafka_error_string(error.get()));
  });
}

void KafkaConsumer::resume(TopicPartition where) {
  run([this, where] { go_on(where); });
}

void KafkaConsumer::go_on(TopicPartition where) {
  const auto at = attached_.find(where);
  if (at == attached_.end() || !std::exchange(at->second.paused, false)) return;
  const PartitionList list = list_of(where, RD_KAFKA_OFFSET_INVALID);
  rd_kafka_resume_partitions(handle_.get(), list.get());
}

void KafkaConsumer::seek(TopicPartition where, Offset to) {
  run([this, where, to] {
    const auto at = attached_.find(where);
    if (at == attached_.end()) return;
    go_on(where);
    at->second.from = to;
    at->second.placed = false;
    at->second.sink->on_seek();
    unplaced_.insert(where);
  });
}

// A seek fails while the client does not know yet where the partition is: it is tried again.
void KafkaConsumer::place() {
  for (auto at = unplaced_.begin(); at != unplaced_.end();) {
    const TopicPartition where = *at;
    Attached& attached = attached_.at(where);
    const PartitionList list = list_of(where, attached.from);
    const KafkaError error(rd_kafka_seek_partitions(handle_.get(), list.get(), kSeekMs));
    if (error || list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++at;
      continue;
    }
    attached.placed = true;
    at = unplaced_.erase(at);
  }
}

void KafkaConsumer::run_asked() {
  std::vector<std::move_only_function<void()>> asked;
  {
    const std::lock_guard lock(mutex_);
    asked.swap(asked_);
  }
  for (auto& work : asked) work();
}

void KafkaConsumer::work() {
  using Message = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
  constexpr int kPlaceAgainMs = 10;
  while (true) {
    run_asked();
    if (stopping_) break;
    place();
    int wait = unplaced_.empty() ? kPollMs : kPlaceAgainMs;
    for (int i = 0; i < kRunMax; ++i) {
      const Message message(rd_kafka_consumer_poll(handle_.get(), wait), rd_kafka_message_destroy);
      if (!message) break;
      take(*message);
      wait = 0;
    }
    for (const auto& sink : std::exchange(touched_, {})) sink->on_pause();
  }
  rd_kafka_consumer_close(handle_.get());
}

void KafkaConsumer::take(const rd_kafka_message_s& message) {
  if (message.err == RD_KAFKA_RESP_ERR__FATAL) {
    char text[512];
    rd_kafka_fatal_error(handle_.get(), text, sizeof text);
    kLog.error("a consumer failed", {{"problem", text}});
    return;
  }
  if (message.rkt == nullptr) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      kLog.debug("reading", {{"problem", rd_kafka_message_errstr(&message)}});
    }
    return;
  }
  const auto topic = names_.find(rd_kafka_topic_name(message.rkt));
  if (!topic) return;
  const TopicPartition where{*topic, static_cast<PartitionId>(message.partition)};
  const auto at = attached_.find(where);
  if (at == attached_.end() || !at->second.placed) return;
  RecordSink& sink = *at->second.sink;
  switch (message.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      if (touched_.empty() || touched_.back() != at->second.sink) {
        if (std::ranges::find(touched_, at->second.sink) == touched_.end()) {
          touched_.push_back(at->second.sink);
        }
      }
      if (!sink.on_record(record_of(message), message.payload == nullptr) &&
          !std::exchange(at->second.paused, true)) {
        const PartitionList list = list_of(where, RD_KAFKA_OFFSET_INVALID);
        rd_kafka_pause_partitions(handle_.get(), list.get());
      }
      return;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF: return sink.on_end(message.offset);
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return sink.on_failure({Errc::kNotFound, rd_kafka_message_errstr(&message)});
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      return sink.on_failure({Errc::kCorrupt, rd_kafka_message_errstr(&message)});
    default:
      // The client goes on by itself: a leader is elected, a broker comes back.
      kLog.warning("reading", {{"topic", names_.of(*topic)},
                               {"partition", message.partition},
                               {"problem", rd_kafka_message_errstr(&message)}});
      return;
  }
}

void KafkaConsumer::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  rd_kafka_queue_yield(queue_);
  thread_.join();
  rd_kafka_queue_destroy(queue_);
  attached_.clear();
  const std::lock_guard lock(mutex_);
  asked_.clear();
}

}  // namespace godwit::log
