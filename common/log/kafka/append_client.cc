#include "common/log/kafka/append_client.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <utility>
#include <vector>

#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

constexpr observe::Logger kLog{"kafka"};

const observe::CounterDefinition kReplaced{
    "godwit_kafka_append_clients_replaced_total",
    "Clients for appends that were given up after an error."};

constexpr int kPollMs = 100;
constexpr int kFlushMs = 12'000;
// The value of a record that has none must not be a tombstone.
constexpr char kEmpty[1] = {0};

// So long a record waits for others that are handed over with it, one after the other.
constexpr const char* kLingerMs = "0.5";

AppendClient::Answer answer_of(const rd_kafka_message_s& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR && message.offset >= 0)
    return {.offset = message.offset};
  const Errc code =
      message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? Errc::kTooLarge : Errc::kUnavailable;
  const bool absent = rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  return {.error = Error{code, rd_kafka_err2str(message.err)}, .in_doubt = !absent};
}

}  // namespace

// The records of one partition.
struct AppendClient::Lane {
  std::size_t under_way = 0;
  std::uint64_t call = 0;  // of produce(), whose records are under way
  std::deque<Record*> waiting;
};

// One client of librdkafka, until it is replaced.
class AppendClient::Connection final : public ClientEvents {
 public:
  explicit Connection(AppendClient& owner) : owner_(owner) {}
  ~Connection() override {
    for (auto* topic : topics_) {
      if (topic != nullptr) rd_kafka_topic_destroy(topic);
    }
  }

  [[nodiscard]] Result<void> open(const KafkaOptions& options, const TopicNames& names,
                                  std::size_t records_max) {
    ClientConfig config(options, "append", *this);
    // One request of a partition at a time: where a later one is refused because an earlier one, which a dying leader
    // may have written, has yet to be asked again, the client begins a new epoch and writes that one twice.
    config.set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "1")
        .set("acks", "all")
        .set("linger.ms", kLingerMs)
        .set("message.timeout.ms", std::chrono::milliseconds(kAnswerMax))
        .set("queue.buffering.max.messages", std::uint64_t{2 * records_max})
        .set("queue.buffering.max.kbytes", std::uint64_t{options.producer_bytes / 512 + 1024});
    TRY(handle_, std::move(config).make_producer());
    topics_.resize(kTopicMax + 1);
    for (int topic = 1; topic <= kTopicMax; ++topic) {
      topics_[static_cast<std::size_t>(topic)] =
          rd_kafka_topic_new(handle_.get(), names.of(static_cast<Topic>(topic)).c_str(), nullptr);
    }
    return {};
  }

  [[nodiscard]] Result<void> produce(Record& record) {
    const void* octets = !record.value           ? nullptr
                         : record.value->empty() ? kEmpty
                                                 : record.value->data();
    // The client sends from that memory and does not write to it.
    const int result = rd_kafka_produce(
        topics_[static_cast<std::size_t>(record.where.topic)],
        static_cast<std::int32_t>(record.where.partition), 0, const_cast<void*>(octets),
        record.value ? record.value->size() : 0, record.key.empty() ? nullptr : record.key.data(),
        record.key.size(), &record);
    if (result == 0) return {};
    return fail(Errc::kUnavailable, rd_kafka_err2str(rd_kafka_last_error()));
  }

  void on_delivered(const rd_kafka_message_s& message) override {
    const bool absent = rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    given_up_ = given_up_ || (message.err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && !absent);
    owner_.delivered(message);
  }

  // A record that may be there and was given up begins a new epoch, too, in which all that waits for an answer is
  // written again: better it is answered as being in doubt.
  [[nodiscard]] bool failed() const {
    std::array<char, 256> text{};
    return given_up_ || rd_kafka_fatal_error(handle_.get(), text.data(), text.size()) !=
                            RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  void poll() { rd_kafka_poll(handle_.get(), kPollMs); }
  void flush() { (void)rd_kafka_flush(handle_.get(), kFlushMs); }
  void give_up() {
    (void)rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  }

 private:
  AppendClient& owner_;
  bool given_up_ = false;  // the polling thread's
  Handle handle_;
  std::vector<rd_kafka_topic_s*> topics_;
};

AppendClient::AppendClient(const KafkaOptions& options, const TopicNames& names,
                           std::size_t records_max, Answered answered)
    : options_(options),
      names_(names),
      records_max_(records_max),
      answered_(std::move(answered)),
      replaced_(options.metrics->counter(kReplaced)) {}

AppendClient::~AppendClient() {
  close();
}

Result<std::unique_ptr<AppendClient>> AppendClient::open(const KafkaOptions& options,
                                                         const TopicNames& names,
                                                         std::size_t records_max,
                                                         Answered answered) {
  std::unique_ptr<AppendClient> client(
      new AppendClient(options, names, records_max, std::move(answered)));
  TRY(client->connection_, client->connect());
  client->thread_ = std::thread([at = client.get()] { at->work(); });
  return client;
}

Result<std::unique_ptr<AppendClient::Connection>> AppendClient::connect() {
  auto made = std::make_unique<Connection>(*this);
  TRY_VOID(made->open(options_, names_, records_max_));
  return made;
}

void AppendClient::produce(const std::vector<Record*>& records) {
  std::vector<Refused> refused;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t call = ++calls_;
    for (Record* const record : records) {
      Lane& lane = lanes_[record->where];
      record->lane = &lane;
      if (lane.under_way > 0 && lane.call != call) {
        lane.waiting.push_back(record);
      } else {
        lane.call = call;
        hand_over(*record, refused);
      }
    }
  }
  answer(refused);
}

void AppendClient::hand_over(Record& record, std::vector<Refused>& refused) {
  if (auto taken = connection_->produce(record); !taken) {
    refused.push_back({&record, std::move(taken).error()});
  } else {
    ++record.lane->under_way;
  }
}

void AppendClient::answer(const std::vector<Refused>& refused) {
  for (const Refused& one : refused) answered_(*one.record, {.error = one.error});
}

void AppendClient::delivered(const rd_kafka_message_s& message) {
  Record& record = *static_cast<Record*>(message._private);
  const Answer answer = answer_of(message);
  std::vector<Refused> refused;
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = *record.lane;
    --lane.under_way;
    if (answer.error && answer.error->code == Errc::kUnavailable) {
      // What waits has waited as long, and is not there.
      for (Record* const behind : std::exchange(lane.waiting, {}))
        refused.push_back({behind, *answer.error});
    } else if (lane.under_way == 0) {
      lane.call = 0;
      for (Record* const next : std::exchange(lane.waiting, {})) hand_over(*next, refused);
    }
  }
  answered_(record, answer);
  this->answer(refused);
}

void AppendClient::work() {
  while (!stopping_) {
    connection_->poll();
    if (connection_->failed()) replace();
  }
}

// The connection refuses everything from now on. What it had is answered, by its own account, and another takes over.
void AppendClient::replace() {
  kLog.error("the producer failed and is replaced", {{"problem", connection_->complaint()}});
  auto fresh = connect();
  if (!fresh) return;  // again after the next poll
  std::unique_ptr<Connection> old = *std::move(fresh);
  {
    const std::lock_guard lock(mutex_);
    std::swap(old, connection_);
  }
  old->give_up();
  old->flush();
  replaced_.add();
}

void AppendClient::close() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  thread_.join();
  connection_->flush();
  connection_->give_up();
  connection_->flush();
}

}  // namespace godwit::log
