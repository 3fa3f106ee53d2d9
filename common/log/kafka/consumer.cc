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

ClientConfig& reading(ClientConfig& config, std::chrono::milliseconds fetch_wait = 500ms) {
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

class KafkaConsumer::Events final : public ClientEvents {
 public:
  explicit Events(KafkaConsumer& consumer) : consumer_(consumer) {}
  void on_rebalance(bool assigned, rd_kafka_topic_partition_list_s& partitions) override {
    consumer_.rebalance(assigned, partitions);
  }

 private:
  KafkaConsumer& consumer_;
};

KafkaConsumer::KafkaConsumer(const TopicNames& names, std::optional<Membership> membership)
    : names_(names), membership_(std::move(membership)), events_(std::make_unique<Events>(*this)) {}

KafkaConsumer::~KafkaConsumer() {
  stop();
}

const ClientEvents& KafkaConsumer::events() const {
  return *events_;
}

Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::start(const KafkaOptions& options,
                                                            const TopicNames& names,
                                                            std::string_view purpose,
                                                            std::chrono::milliseconds fetch_wait) {
  std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer(names, std::nullopt));
  ClientConfig config(options, purpose, *consumer->events_);
  // A group that never has members: librdkafka's assignment by hand wants a name.
  reading(config, fetch_wait).set("group.id", names.prefix() + "readers");
  TRY(consumer->handle_, std::move(config).make_consumer(false));
  consumer->queue_ = rd_kafka_queue_get_consumer(consumer->handle_.get());
  consumer->thread_ = std::thread([at = consumer.get()] { at->work(); });
  return consumer;
}

Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::join(const KafkaOptions& options,
                                                           const TopicNames& names,
                                                           Membership membership) {
  std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer(names, std::move(membership)));
  const Membership& member = *consumer->membership_;
  ClientConfig config(options, member.group, *consumer->events_);
  reading(config)
      .set("group.id", names.prefix() + member.group)
      .set("group.instance.id", options.node)
      .set("partition.assignment.strategy", "cooperative-sticky")
      .set("session.timeout.ms", options.session_timeout)
      .set("heartbeat.interval.ms", options.heartbeat_interval())
      .set("max.poll.interval.ms", options.max_poll_interval);
  TRY(consumer->handle_, std::move(config).make_consumer(true));
  consumer->queue_ = rd_kafka_queue_get_consumer(consumer->handle_.get());
  const PartitionList topics = make_list();
  rd_kafka_topic_partition_list_add(topics.get(), names.of(member.subscribed).c_str(),
                                    RD_KAFKA_PARTITION_UA);
  if (const auto code = rd_kafka_subscribe(consumer->handle_.get(), topics.get())) {
    return fail(Errc::kUnavailable, rd_kafka_err2str(code));
  }
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
    const bool member = subscribes(where);
    attached_[where] = {.sink = std::move(sink), .from = from, .placed = !member};
    if (member) {
      unplaced_.insert(where);
      return;
    }
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
    if (subscribes(where)) return;
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

// A seek fails while the client does not know yet where the partition is: it is tried again. It has to wait until the
// client stands at the end: one that overtakes the broker's answer about the end makes the client ask again, and half a
// second later jump there, over all that was not read until then.
void KafkaConsumer::place() {
  for (auto at = unplaced_.begin(); at != unplaced_.end();) {
    const TopicPartition where = *at;
    if (subscribes(where) && !(assigned_.contains(where) && stands_.contains(where))) {
      ++at;
      continue;
    }
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
    if (membership_ && !leaving_) membership_->tick();
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
    if (membership_) membership_->failed(text);
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
  const bool stands =
      message.err == RD_KAFKA_RESP_ERR_NO_ERROR || message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
  if (stands && assigned_.contains(where)) stands_.insert(where);
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

void KafkaConsumer::rebalance(bool assigned, rd_kafka_topic_partition_list_s& partitions) {
  std::vector<PartitionId> numbers;
  for (int i = 0; i < partitions.cnt; ++i) {
    numbers.push_back(static_cast<PartitionId>(partitions.elems[i].partition));
    // Nothing is read before attach() says from where.
    partitions.elems[i].offset = RD_KAFKA_OFFSET_END;
  }
  if (assigned) {
    for (const PartitionId number : numbers) stands_.erase({membership_->subscribed, number});
    const KafkaError error(rd_kafka_incremental_assign(handle_.get(), &partitions));
    if (error) kLog.warning("assignment", {{"problem", rd_kafka_error_string(error.get())}});
    for (const PartitionId number : numbers) assigned_.insert({membership_->subscribed, number});
    if (!stopping_ && !leaving_) membership_->assigned(numbers);
    return;
  }
  if (stopping_ || leaving_) return release(numbers);
  membership_->revoked(numbers, assignment_lost());
}

void KafkaConsumer::release(const std::vector<PartitionId>& partitions) {
  PartitionList list = make_list();
  for (const PartitionId number : partitions) {
    const TopicPartition where{membership_->subscribed, number};
    add_to(list, names_.of(where.topic), number, RD_KAFKA_OFFSET_INVALID);
    go_on(where);
    attached_.erase(where);
    unplaced_.erase(where);
    assigned_.erase(where);
    stands_.erase(where);
  }
  const KafkaError error(rd_kafka_incremental_unassign(handle_.get(), list.get()));
  if (error) kLog.warning("assignment", {{"problem", rd_kafka_error_string(error.get())}});
}

bool KafkaConsumer::assignment_lost() const {
  return rd_kafka_assignment_lost(handle_.get()) != 0;
}

bool KafkaConsumer::is_member() const {
  char* id = rd_kafka_memberid(handle_.get());
  const bool is = id != nullptr && *id != 0;
  if (id != nullptr) rd_kafka_mem_free(handle_.get(), id);
  return is;
}

// A static member that is closed keeps its place, and one that unsubscribed before gives it back. It
// has done so when it has no member id any more.
void KafkaConsumer::leave(Instant deadline) {
  leaving_ = true;
  rd_kafka_queue_yield(queue_);
  rd_kafka_unsubscribe(handle_.get());
  while (is_member() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
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
