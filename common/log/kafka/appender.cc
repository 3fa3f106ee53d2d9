#include "common/log/kafka/appender.h"

#include <array>
#include <utility>

#include "common/log/errc.h"

namespace godwit::log {

std::optional<Error> too_large(std::string_view key, std::size_t value_bytes) {
  if (key.size() <= kKeyBytesMax && key.size() + value_bytes <= kRecordBytesMax)
    return std::nullopt;
  return Error{Errc::kTooLarge, std::to_string(key.size() + value_bytes) + " octets"};
}

// What one call wrote, until each record is answered.
struct Appender::Write {
  struct Piece : AppendClient::Record {
    Write* write = nullptr;
    std::size_t index = 0;
    std::string octets_of_key;  // kept for as long as the client may send them
    Bytes octets;
  };
  void note(std::size_t index, const AppendClient::Answer& answer) {
    const std::lock_guard lock(mutex);
    if (answer.error) {
      some_unknown = some_unknown || answer.in_doubt;
      failure = answer.error;
    } else {
      offsets[index] = answer.offset;
      some_written = true;
    }
  }

  std::vector<Piece> pieces;
  std::size_t bytes = 0;
  WriteDone done;
  std::atomic<std::size_t> open{0};  // answers to come
  std::mutex mutex;                  // clients answer on threads of their own
  std::vector<Offset> offsets;
  bool some_written = false;
  bool some_unknown = false;
  std::optional<Error> failure;
};

Appender::~Appender() {
  close();
}

Result<std::unique_ptr<Appender>> Appender::open(const KafkaOptions& options,
                                                 const TopicNames& names) {
  std::unique_ptr<Appender> appender(new Appender(options));
  const auto answered = [at = appender.get()](AppendClient::Record& record,
                                              const AppendClient::Answer& answer) {
    auto& piece = static_cast<Write::Piece&>(record);
    Write& write = *piece.write;
    write.note(piece.index, answer);
    if (write.open.fetch_sub(1) == 1) at->answered(write);
  };
  for (std::size_t number = 0; number < kClients; ++number) {
    TRY(auto client, AppendClient::open(options, names, kRecordsMax, answered));
    appender->clients_.push_back(std::move(client));
  }
  return appender;
}

// Of a partition always the same, which keeps the order of its records; of one number in both classes not the same, so
// that what is urgent does not wait for bulk.
std::size_t Appender::client_of(TopicPartition where) {
  return (where.partition + static_cast<std::size_t>(where.topic)) % kClients;
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
  write->open = entries.size();
  std::array<std::vector<AppendClient::Record*>, kClients> records;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    Write::Piece& piece = write->pieces[i];
    piece.write = write.get();
    piece.index = i;
    piece.octets_of_key = std::move(entry.key);
    if (entry.value) piece.octets = entry.value->flatten();
    piece.where = entry.where;
    piece.key = piece.octets_of_key;
    if (entry.value) piece.value = piece.octets.view();
    records[client_of(entry.where)].push_back(&piece);
  }
  (void)write.release();  // to the last answer
  for (std::size_t number = 0; number < kClients; ++number) {
    if (!records[number].empty()) clients_[number]->produce(records[number]);
  }
}

void Appender::answered(Write& answered) {
  const std::unique_ptr<Write> write(&answered);
  bytes_ -= write->bytes;
  records_ -= write->pieces.size();
  std::optional<Error> error = write->failure;
  {
    const std::lock_guard lock(mutex_);
    problem_ = error ? error->context : std::string();
  }
  if (!error) return write->done(Written{.offsets = std::move(write->offsets)});
  if (write->some_unknown || write->some_written) error->code = Errc::kUnknown;
  write->done(fail(*std::move(error)));
}

WriteHealth Appender::health() const {
  const std::lock_guard lock(mutex_);
  return {.good = problem_.empty(), .problem = problem_};
}

void Appender::close() {
  if (closed_.exchange(true)) return;
  for (const auto& client : clients_) client->close();
}

}  // namespace godwit::log
