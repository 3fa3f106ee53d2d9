#include "common/log/kafka/appender.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

constexpr observe::Logger kLog{"kafka"};
constexpr int kPollMs = 100;
constexpr int kFlushMs = 12'000;
// The value of a record that has none must not be a tombstone.
constexpr char kEmpty[1] = {0};

}  // namespace

std::optional<Error> too_large(std::string_view key, std::size_t value_bytes) {
  if (key.size() <= kKeyBytesMax && key.size() + value_bytes <= kRecordBytesMax)
    return std::nullopt;
  return Error{Errc::kTooLarge, std::to_string(key.size() + value_bytes) + " octets"};
}

// What one call wrote, until each record is answered.
struct Appender::Write {
  struct Piece {
    Write* write = nullptr;
    std::size_t index = 0;
    Bytes value;  // kept for as long as the client may send it
  };
  std::vector<Piece> pieces;
  std::size_t bytes = 0;
  WriteDone done;
  std::atomic<std::size_t> open{0};  // answers to come, and the caller of write()
  std::optional<Error> refused;      // by the client, of a record and those behind it: the caller's
  std::vector<Offset> offsets;       // from here on the appender thread's
  bool some_written = false;
  bool some_unknown = false;
  std::optional<Error> failure;
};

class Appender::Client final : public ClientEvents {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Client>> make(Appender& owner,
                                                            const KafkaOptions& options,
                                                            const TopicNames& names) {
    auto client = std::make_shared<Client>(owner);
    ClientConfig config(options, "append", *client);
    // One request of a partition at a time: where a later one is refused because an earlier one, which a dying leader
    // may have written, has yet to be asked again, the client begins a new epoch and writes that one twice.
    config.set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "1")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("message.timeout.ms", std::chrono::milliseconds(kAnswerMax))
        .set("queue.buffering.max.messages", std::uint64_t{2 * kRecordsMax})
        .set("queue.buffering.max.kbytes", std::uint64_t{options.producer_bytes / 512 + 1024});
    TRY(client->handle_, std::move(config).make_producer());
    client->topics_.resize(kTopicMax + 1);
    for (int topic = 1; topic <= kTopicMax; ++topic) {
      client->topics_[static_cast<std::size_t>(topic)] = rd_kafka_topic_new(
          client->handle_.get(), names.of(static_cast<Topic>(topic)).c_str(), nullptr);
    }
    return client;
  }
  explicit Client(Appender& owner) : owner_(owner) {}
  ~Client() override {
    for (auto* topic : topics_) {
      if (topic != nullptr) rd_kafka_topic_destroy(topic);
    }
  }

  [[nodiscard]] rd_kafka_resp_err_t produce(const Entry& entry, Write::Piece& piece) {
    const bool tombstone = !entry.value;
    const std::string_view value = piece.value.view();
    const void* octets = tombstone ? nullptr : value.empty() ? kEmpty : value.data();
    // The client sends from our memory, which `piece` holds, and does not write to it.
    const int result = rd_kafka_produce(
        topics_[static_cast<std::size_t>(entry.where.topic)],
        static_cast<std::int32_t>(entry.where.partition), 0, const_cast<void*>(octets),
        value.size(), entry.key.empty() ? nullptr : entry.key.data(), entry.key.size(), &piece);
    return result == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
  }

  void on_delivered(const rd_kafka_message_s& message) override {
    auto& piece = *static_cast<Write::Piece*>(message._private);
    Write& write = *piece.write;
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR && message.offset >= 0) {
      write.offsets[piece.index] = message.offset;
      write.some_written = true;
    } else {
      const bool absent = rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
      write.some_unknown = write.some_unknown || !absent;
      in_doubt_ = in_doubt_ || (!absent && message.err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
      const Errc code = message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? Errc::kTooLarge
                                                                            : Errc::kUnavailable;
      write.failure = Error{code, rd_kafka_err2str(message.err)};
    }
    if (write.open.fetch_sub(1) == 1) owner_.answered(write);
  }

  // A record that may be there and was given up begins a new epoch, too, in which all that waits for an answer is
  // written again: better it is answered as unknown.
  [[nodiscard]] bool failed() const {
    std::array<char, 256> text{};
    return in_doubt_ || rd_kafka_fatal_error(handle_.get(), text.data(), text.size()) !=
                            RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  void poll(int ms) { rd_kafka_poll(handle_.get(), ms); }
  void flush(int ms) { (void)rd_kafka_flush(handle_.get(), ms); }
  void give_up() {
    (void)rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  }

 private:
  Appender& owner_;
  bool in_doubt_ = false;  // the appender thread's
  Handle handle_;
  std::vector<rd_kafka_topic_s*> topics_;
};

Appender::Appender(const KafkaOptions& options, const TopicNames& names)
    : options_(options), names_(names) {}

Appender::~Appender() {
  close();
}

Result<std::unique_ptr<Appender>> Appender::open(const KafkaOptions& options,
                                                 const TopicNames& names) {
  std::unique_ptr<Appender> appender(new Appender(options, names));
  TRY(appender->client_, Client::make(*appender, options, names));
  appender->thread_ = std::thread([at = appender.get()] { at->work(); });
  return appender;
}

std::shared_ptr<Appender::Client> Appender::client() const {
  const std::lock_guard lock(mutex_);
  return client_;
}

bool Appender::reserve(std::size_t records, std::size_t bytes) {
  if (records_.fetch_add(records) + records <= kRecordsMax) {
    if (bytes_.fetch_add(bytes) + bytes <= options_.producer_bytes) return true;
    bytes_.fetch_sub(bytes);
  }
  records_.fetch_sub(records);
  return false;
}

void Appender::write(std::vector<Entry> entries, WriteDone done) {
  if (closed_) return done(fail(Errc::kClosed));
  if (entries.empty()) return done(Written{});
  auto write = std::make_unique<Write>();
  for (const Entry& entry : entries) {
    const std::size_t bytes = entry.value ? entry.value->size() : 0;
    if (auto error = too_large(entry.key, bytes)) return done(fail(*std::move(error)));
    write->bytes += entry.key.size() + bytes;
  }
  if (!reserve(entries.size(), write->bytes)) {
    return done(fail(Errc::kUnavailable, "what is on its way to Kafka is at its bound"));
  }
  write->done = std::move(done);
  write->offsets.resize(entries.size());
  write->pieces.resize(entries.size());
  write->open = entries.size() + 1;
  const std::shared_ptr<Client> to = client();
  std::size_t produced = 0;
  for (; produced < entries.size(); ++produced) {
    Write::Piece& piece = write->pieces[produced];
    piece.write = write.get();
    piece.index = produced;
    if (entries[produced].value) piece.value = entries[produced].value->flatten();
    if (const auto code = to->produce(entries[produced], piece)) {
      write->refused = Error{Errc::kUnavailable, rd_kafka_err2str(code)};
      break;
    }
  }
  const std::size_t left = entries.size() - produced + 1;
  Write* const raw = write.release();
  if (raw->open.fetch_sub(left) == left) answered(*raw);
}

void Appender::answered(Write& answered) {
  const std::unique_ptr<Write> write(&answered);
  bytes_ -= write->bytes;
  records_ -= write->pieces.size();
  std::optional<Error> error = write->failure ? write->failure : write->refused;
  {
    const std::lock_guard lock(mutex_);
    problem_ = write->failure ? write->failure->context : std::string();
  }
  if (!error) return write->done(Written{.offsets = std::move(write->offsets)});
  if (write->some_unknown || write->some_written) error->code = Errc::kUnknown;
  write->done(fail(*std::move(error)));
}

WriteHealth Appender::health() const {
  const std::lock_guard lock(mutex_);
  return {.good = problem_.empty(), .problem = problem_};
}

void Appender::work() {
  while (!stopping_) {
    bool failed = false;
    {
      const std::shared_ptr<Client> at = client();
      at->poll(kPollMs);
      failed = at->failed();
    }
    if (failed) replace();  // which waits until nobody holds the old one
  }
}

// The client refuses everything from now on. What it had is answered, by its own account, and another takes over.
void Appender::replace() {
  kLog.error("the producer failed and is replaced", {{"problem", client()->complaint()}});
  auto fresh = Client::make(*this, options_, names_);
  if (!fresh) return;  // again after the next poll
  std::shared_ptr<Client> old = *std::move(fresh);
  {
    const std::lock_guard lock(mutex_);
    std::swap(old, client_);
  }
  // Whoever got hold of the old one before is about to be refused by it.
  old->give_up();
  old->flush(kFlushMs);
  while (old.use_count() > 1) std::this_thread::yield();
  old->flush(kFlushMs);
}

void Appender::close() {
  if (closed_.exchange(true)) return;
  if (!thread_.joinable()) return;
  stopping_ = true;
  thread_.join();
  client()->flush(kFlushMs);
  client()->give_up();
  client()->flush(kFlushMs);
}

}  // namespace godwit::log
