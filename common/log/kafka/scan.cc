#include "common/log/kafka/scan.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/log/errc.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kScanPatience = 30s;
// A partition is read to an end that is known: what the broker keeps behind it only delays the next partition.
constexpr std::chrono::milliseconds kFetchWait = 5ms;
constexpr std::size_t kAheadMax = 10'000;
constexpr std::size_t kAheadBytesMax = 16u << 20;
constexpr std::string_view kClaimTopic = "cluster";

// What the consumer has read and the caller has not visited yet: of one partition at a time. When it is full the
// consumer, which serves nobody else, waits; a pause would throw away what its client has fetched ahead, each time.
class Passage final : public RecordSink {
 public:
  bool on_record(Record record, bool tombstone) override {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] {
      return closed_ || (records_.size() < kAheadMax && bytes_ < kAheadBytesMax);
    });
    if (closed_) return true;
    reached_ = record.offset + 1;
    bytes_ += record.value.size();
    records_.emplace_back(std::move(record), tombstone);
    changed_.notify_all();
    return true;
  }
  void on_end(Offset next) override {
    const std::lock_guard lock(mutex_);
    reached_ = std::max(reached_, next);
    changed_.notify_all();
  }
  void on_failure(Error error) override {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
    changed_.notify_all();
  }

  struct Taken {
    std::deque<std::pair<Record, bool>> records;
    Offset reached = 0;
  };
  Result<Taken> take(Offset end) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(
        lock, kScanPatience, [&] { return !records_.empty() || failure_ || reached_ >= end; });
    if (failure_) return fail(*failure_);
    if (!came) return fail(Errc::kUnavailable, "nothing more was read");
    bytes_ = 0;
    room_.notify_all();
    return Taken{std::exchange(records_, {}), reached_};
  }
  // Nobody takes any more: the consumer does not wait.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable room_;
  std::deque<std::pair<Record, bool>> records_;
  std::size_t bytes_ = 0;
  Offset reached_ = 0;
  bool closed_ = false;
  std::optional<Error> failure_;
};

}  // namespace

Result<void> scan(const KafkaOptions& options, const TopicNames& names,
                  const std::vector<ScanRange>& ranges, const VisitScan& visit) {
  TRY(const auto consumer, KafkaConsumer::start(options, names, "scan", kFetchWait));
  for (const ScanRange& range : ranges) {
    if (range.from >= range.end) continue;
    const auto passage = std::make_shared<Passage>();
    consumer->attach(range.where, range.from, passage);
    const std::unique_ptr<Passage, decltype([](Passage* open) { open->close(); })> closed(
        passage.get());
    for (bool more = true; more;) {
      TRY(auto taken, passage->take(range.end));
      for (auto& [record, tombstone] : taken.records) {
        if (record.offset >= range.end) break;
        if (!visit(range.where, std::move(record), tombstone)) return {};
      }
      more = taken.reached < range.end;
    }
    consumer->detach(range.where);
  }
  return {};
}

namespace {

struct Claim final : ClientEvents {
  void on_delivered(const rd_kafka_message_s& message) override {
    answered = true;
    written = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  bool answered = false;
  bool written = false;
};

Result<void> write_claim(const std::string& topic, const KafkaOptions& options) {
  Claim claim;
  ClientConfig config(options, "claim", claim);
  config.set("acks", "all").set("message.timeout.ms", 5000ms);
  TRY(const Handle handle, std::move(config).make_producer());
  const std::string& name = options.cluster;
  const auto code =
      rd_kafka_producev(handle.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0),
                        RD_KAFKA_V_KEY(name.data(), name.size()),
                        RD_KAFKA_V_VALUE(const_cast<char*>(name.data()), name.size()),
                        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
  if (code)
    return fail(Errc::kUnavailable, fmt::format("topic {}: {}", topic, rd_kafka_err2str(code)));
  constexpr int kFlushMs = 6000;
  (void)rd_kafka_flush(handle.get(), kFlushMs);
  if (!claim.written)
    return fail(Errc::kUnavailable, fmt::format("topic {} takes no record", topic));
  return {};
}

// The first record of partition 0.
Result<std::string> read_claim(const std::string& topic, const KafkaOptions& options) {
  ClientEvents events;
  ClientConfig config(options, "claim", events);
  config.set("group.id", options.topic_prefix + "readers").set("enable.auto.commit", "false");
  TRY(const Handle handle, std::move(config).make_consumer(false));
  PartitionList list = make_list();
  add_to(list, topic, 0, RD_KAFKA_OFFSET_BEGINNING);
  rd_kafka_assign(handle.get(), list.get());
  using Message = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
  const auto deadline = std::chrono::steady_clock::now() + 8s;
  std::optional<std::string> found;
  while (!found && std::chrono::steady_clock::now() < deadline) {
    constexpr int kPollMs = 100;
    const Message message(rd_kafka_consumer_poll(handle.get(), kPollMs), rd_kafka_message_destroy);
    if (!message || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    found.emplace(static_cast<const char*>(message->payload), message->len);
  }
  rd_kafka_consumer_close(handle.get());
  if (!found) return fail(Errc::kUnavailable, fmt::format("topic {} cannot be read", topic));
  return *std::move(found);
}

}  // namespace

Result<void> claim_prefix(KafkaAdmin& admin, const KafkaOptions& options) {
  const std::string topic = options.topic_prefix + std::string(kClaimTopic);
  const std::array names{topic};
  TRY(auto found, admin.topics(names));
  if (found.empty()) {
    const std::array missing{TopicToMake{
        .name = topic,
        .partitions = 1,
        .replication = options.replication,
        .settings = {{"cleanup.policy", "compact"},
                     {"min.insync.replicas", std::to_string(options.min_insync_replicas)}}}};
    TRY_VOID(admin.make_topics(missing));
  }
  TRY(const auto ends, admin.offsets({{topic, 0}}, KafkaAdmin::Edge::kEndCommitted));
  // Of two that begin together the first record counts, for both.
  if (ends.front().offset == 0) TRY_VOID(write_claim(topic, options));
  TRY(const std::string owner, read_claim(topic, options));
  if (owner != options.cluster) {
    return fail(std::make_error_code(std::errc::invalid_argument),
                fmt::format("topics {}* belong to the cluster {}, and this one is {}",
                            options.topic_prefix, owner, options.cluster));
  }
  return {};
}

}  // namespace godwit::log
