#include "common/log/kafka/record_buffer.h"

#include <algorithm>
#include <utility>

#include "common/log/errc.h"

namespace godwit::log {
namespace {

std::size_t size_of(const Record& record) {
  return sizeof(Record) + record.key.size() + record.value.size();
}

void call(Wake wake) {
  if (wake) wake();
}

}  // namespace

RecordBuffer::RecordBuffer(Offset next, std::size_t bytes_max, Source source)
    : bytes_max_(bytes_max), source_(std::move(source)), next_(next) {}

bool RecordBuffer::full() const {
  return bytes_ >= bytes_max_ || records_.size() >= kRecordsMax;
}

bool RecordBuffer::on_record(Record record, bool /*tombstone*/) {
  const std::lock_guard lock(mutex_);
  const Offset expected = records_.empty() ? next_ : records_.back().offset + 1;
  if (closed_ || seeks_asked_ > 0 || record.offset < expected) return true;
  bytes_ += size_of(record);
  last_read_ = record.offset;
  mark(record);
  records_.push_back(std::move(record));
  failure_.reset();
  paused_ = full();
  return !paused_;
}

void RecordBuffer::mark(const Record& record) {
  constexpr std::size_t kMarksMax = 1024;
  if (!marks_.empty() && record.time - marks_.back().second < std::chrono::seconds(1)) return;
  marks_.emplace_back(record.offset, record.time);
  if (marks_.size() <= kMarksMax) return;
  std::deque<std::pair<Offset, Timestamp>> fewer;  // every second one: coarser, not wrong
  for (std::size_t i = 0; i < marks_.size(); i += 2) fewer.push_back(marks_[i]);
  marks_ = std::move(fewer);
}

std::optional<Timestamp> RecordBuffer::oldest_from(Offset position) {
  const std::lock_guard lock(mutex_);
  while (marks_.size() > 1 && marks_[1].first <= position) marks_.pop_front();
  if (last_read_ < position || marks_.empty()) return std::nullopt;
  return marks_.front().second;
}

Offset RecordBuffer::past_markers(Offset position) const {
  const std::lock_guard lock(mutex_);
  return last_read_ < position ? std::max(position, end_) : position;
}

void RecordBuffer::on_end(Offset next) {
  const std::lock_guard lock(mutex_);
  if (!closed_ && seeks_asked_ == 0) end_ = next;
}

void RecordBuffer::on_pause() {
  Wake wake;
  {
    const std::lock_guard lock(mutex_);
    if (!records_.empty()) wake = std::exchange(wake_, nullptr);
  }
  call(std::move(wake));
}

void RecordBuffer::on_seek() {
  const std::lock_guard lock(mutex_);
  --seeks_asked_;
}

void RecordBuffer::on_failure(Error error) {
  Wake wake;
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
    wake = std::exchange(wake_, nullptr);
  }
  call(std::move(wake));
}

Result<std::vector<Record>> RecordBuffer::take(std::size_t records_max, std::size_t bytes_max) {
  std::vector<Record> taken;
  bool resume = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(Errc::kClosed);
    if (records_.empty() && failure_) return fail(*failure_);
    std::size_t bytes = 0;
    while (!records_.empty() && taken.size() < std::max<std::size_t>(records_max, 1)) {
      Record& record = records_.front();
      bytes += record.key.size() + record.value.size();
      if (!taken.empty() && bytes > bytes_max) break;
      bytes_ -= size_of(record);
      next_ = record.offset + 1;
      taken.push_back(std::move(record));
      records_.pop_front();
    }
    if (paused_ && bytes_ <= bytes_max_ / 2 && records_.size() <= kRecordsMax / 2) {
      paused_ = false;
      resume = true;
    }
  }
  if (resume) source_.resume();
  return taken;
}

void RecordBuffer::when_ready(Wake wake) {
  {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
    if (records_.empty() && !failure_ && !closed_) {
      wake_ = std::move(wake);
      return;
    }
  }
  wake();
}

Offset RecordBuffer::next() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

void RecordBuffer::skip_to(Offset offset) {
  {
    const std::lock_guard lock(mutex_);
    const bool forward = offset >= next_;
    next_ = offset;
    if (closed_) return;
    while (!records_.empty() && (!forward || records_.front().offset < offset)) {
      bytes_ -= size_of(records_.front());
      records_.pop_front();
    }
    // Forward of what was read ahead it is left to come; behind a record that cannot be read it never would.
    if (forward && !paused_ && !failure_) return;
    failure_.reset();
    paused_ = false;
    bytes_ = 0;
    records_.clear();
    last_read_ = -1;
    end_ = 0;
    marks_.clear();
    ++seeks_asked_;
  }
  source_.seek(offset);
}

void RecordBuffer::close() {
  Wake wake;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    records_.clear();
    bytes_ = 0;
    wake = std::exchange(wake_, nullptr);
  }
  call(std::move(wake));
}

void RecordBuffer::forget_wake() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

}  // namespace godwit::log
