#include "common/log/kafka/position_reader.h"

#include <utility>

#include "common/log/errc.h"

namespace godwit::log {

namespace {

// The request behind the record that was read is of no use, and the next read waits for its end.
constexpr std::chrono::milliseconds kFetchWait{5};

}  // namespace

// The sink of one read: the first thing it hears is the answer.
class PositionReader::One final : public RecordSink {
 public:
  One(PositionReader& reader, RecordPosition position) : reader_(reader), position_(position) {}
  bool on_record(Record record, bool) override {
    if (record.offset == position_.offset) {
      answer(std::move(record));
    } else {
      answer(fail(Errc::kNotFound));
    }
    return false;
  }
  void on_end(Offset) override { answer(fail(Errc::kNotFound)); }
  void on_failure(Error error) override { answer(fail(std::move(error))); }

 private:
  void answer(Result<Record> result) {
    if (!std::exchange(answered_, true)) reader_.answer(position_.where, std::move(result));
  }
  PositionReader& reader_;
  const RecordPosition position_;
  bool answered_ = false;
};

PositionReader::PositionReader(const KafkaOptions& options, const TopicNames& names)
    : options_(options), names_(names) {}

PositionReader::~PositionReader() {
  stop();
}

void PositionReader::read(RecordPosition position, ReadDone done) {
  std::optional<Error> refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      refused = Error{Errc::kClosed, {}};
    } else if (count_ >= kWaitingMax) {
      refused = Error{Errc::kUnavailable, "reads by position are at their bound"};
    } else if (!consumer_) {
      auto started = KafkaConsumer::start(options_, names_, "positions", kFetchWait);
      if (started) {
        consumer_ = *std::move(started);
      } else {
        refused = std::move(started).error();
      }
    }
    if (!refused) {
      ++count_;
      auto& waiting = waiting_[position.where];
      waiting.push_back({position.offset, std::move(done)});
      if (waiting.size() == 1) begin(position.where, position.offset);
      return;
    }
  }
  done(fail(*std::move(refused)));
}

void PositionReader::begin(TopicPartition where, Offset offset) {
  consumer_->attach(where, offset, std::make_shared<One>(*this, RecordPosition{where, offset}));
}

void PositionReader::answer(TopicPartition where, Result<Record> result) {
  ReadDone done;
  {
    const std::lock_guard lock(mutex_);
    auto& waiting = waiting_[where];
    if (waiting.empty()) return;
    done = std::move(waiting.front().done);
    waiting.pop_front();
    --count_;
    consumer_->detach(where);
    if (!waiting.empty()) begin(where, waiting.front().offset);
  }
  done(std::move(result));
}

void PositionReader::stop() {
  std::map<TopicPartition, std::deque<Waiting>> waiting;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    waiting.swap(waiting_);
    count_ = 0;
  }
  if (consumer_) consumer_->stop();
  for (auto& [where, reads] : waiting) {
    for (Waiting& read : reads) read.done(fail(Errc::kClosed));
  }
}

}  // namespace godwit::log
