#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/log/kafka/consumer.h"

namespace godwit::log {

// What a consumer has read ahead of one partition, and whoever takes it.
//
// Bounds   `bytes_max` and kRecordsMax; at the bound the partition is paused, and goes on at half of it
// Threads  the sink's side: the consumer's; the reader's side: one at a time; close() any
class RecordBuffer final : public RecordSink, public std::enable_shared_from_this<RecordBuffer> {
 public:
  static constexpr std::size_t kRecordsMax = 8192;

  // Asks for what the reader needs: to go on, or to go on somewhere else.
  struct Source {
    std::function<void()> resume;
    std::function<void(Offset)> seek;
  };
  RecordBuffer(Offset next, std::size_t bytes_max, Source source);

  bool on_record(Record record, bool tombstone) override;
  void on_pause() override;
  void on_end(Offset next) override;
  void on_seek() override;
  void on_failure(Error error) override;

  [[nodiscard]] Result<std::vector<Record>> take(std::size_t records_max, std::size_t bytes_max);
  void when_ready(Wake wake);
  [[nodiscard]] Offset next() const;
  void skip_to(Offset offset);
  // `position`, or what lies behind it when no record is between: Kafka's own records, the ends of
  // transactions, have offsets that nobody finishes. Without this they look like a backlog, and when
  // they expire, like mail that did.
  [[nodiscard]] Offset past_markers(Offset position) const;
  // When the log took the first record at or behind `position` (to the second), of those that were
  // read; nullopt: none was. Positions are asked for in ascending order.
  [[nodiscard]] std::optional<Timestamp> oldest_from(Offset position);
  // Readers get kClosed from now on; nobody is woken who was destroyed.
  void close();
  void forget_wake();

 private:
  [[nodiscard]] bool full() const;
  void mark(const Record& record);

  const std::size_t bytes_max_;
  const Source source_;
  mutable std::mutex mutex_;
  std::deque<Record> records_;
  std::size_t bytes_ = 0;
  Offset next_ = 0;
  bool paused_ = false;
  bool closed_ = false;
  Offset last_read_ = -1;                           // the last record that came
  Offset end_ = 0;                                  // everything below was read
  std::deque<std::pair<Offset, Timestamp>> marks_;  // of records that were read, seconds apart
  int seeks_asked_ = 0;  // what comes before they are under way is of an older place
  std::optional<Error> failure_;
  Wake wake_;
};

// A reader over a buffer; `keep` is destroyed after it (a consumer of its own).
class BufferedReader final : public Reader {
 public:
  BufferedReader(std::shared_ptr<RecordBuffer> buffer, std::shared_ptr<void> keep)
      : keep_(std::move(keep)), buffer_(std::move(buffer)) {}
  ~BufferedReader() override { buffer_->forget_wake(); }
  [[nodiscard]] Result<std::vector<Record>> take(std::size_t records_max,
                                                 std::size_t bytes_max) override {
    return buffer_->take(records_max, bytes_max);
  }
  void when_ready(Wake wake) override { buffer_->when_ready(std::move(wake)); }
  [[nodiscard]] Offset next() const override { return buffer_->next(); }
  void skip_to(Offset offset) override { buffer_->skip_to(offset); }

 private:
  std::shared_ptr<void> keep_;
  std::shared_ptr<RecordBuffer> buffer_;
};

}  // namespace godwit::log
