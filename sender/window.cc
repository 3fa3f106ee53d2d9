#include "sender/window.h"

#include <algorithm>

#include "common/base/check.h"

namespace godwit::sender {

Window::Window(log::Offset next, Limits limits) : limits_(limits), next_(next) {}

void Window::restore(const v1::FinishedPositions::TopicFinished& finished) {
  CHECK(entries_.empty(), "restore() comes before the first consume()");
  // The position and `!position` were committed together; where they differ (an operator moved one)
  // only what lies beyond the position counts.
  const int runs = std::min(finished.run_first_size(), finished.run_length_size());
  for (int i = 0; i < runs; ++i) {
    const log::Offset first = std::max(finished.run_first(i), next_);
    const log::Offset end = finished.run_first(i) + finished.run_length(i);
    if (end > first && (restored_.empty() || first >= restored_.back().second)) {
      restored_.emplace_back(first, end);
    }
  }
}

bool Window::room() const {
  return unfinished_ == 0 ||
         (unfinished_ < limits_.records_max && unfinished_bytes_ < limits_.bytes_max);
}

bool Window::consume(log::Offset offset, std::size_t bytes) {
  CHECK(offset >= next_ && (entries_.empty() || offset > entries_.back().offset),
        "offset {} is not behind what was consumed (next {})", offset, next_);
  while (!restored_.empty() && restored_.front().second <= offset) restored_.pop_front();
  const bool done = !restored_.empty() && restored_.front().first <= offset;
  entries_.push_back({offset, done ? 0 : bytes, done});
  if (done) {
    advance();
    return false;
  }
  ++unfinished_;
  unfinished_bytes_ += bytes;
  return true;
}

void Window::finish(log::Offset offset) {
  const auto entry = std::ranges::lower_bound(entries_, offset, {}, &Entry::offset);
  CHECK(entry != entries_.end() && entry->offset == offset && !entry->finished,
        "offset {} is not unfinished", offset);
  entry->finished = true;
  --unfinished_;
  unfinished_bytes_ -= entry->bytes;
  advance();
}

void Window::advance() {
  while (!entries_.empty() && entries_.front().finished) {
    next_ = entries_.front().offset + 1;
    entries_.pop_front();
  }
  while (!restored_.empty() && restored_.front().second <= next_) restored_.pop_front();
}

bool Window::finished_beyond() const {
  return !restored_.empty() || entries_.size() > unfinished_;
}

void Window::finished(v1::FinishedPositions::TopicFinished& out) const {
  out.set_next(next_);
  Run run{0, 0};
  const auto close = [&] {
    if (run.second > run.first) {
      out.add_run_first(run.first);
      out.add_run_length(run.second - run.first);
    }
    run = {0, 0};
  };
  for (const Entry& entry : entries_) {
    if (!entry.finished) {
      close();
      continue;
    }
    // Nothing lies in a gap between two offsets that were read one after the other.
    if (run.second == 0) run.first = entry.offset;
    run.second = entry.offset + 1;
  }
  const log::Offset read_to = entries_.empty() ? next_ : entries_.back().offset + 1;
  for (const Run& restored : restored_) {
    const log::Offset first = std::max(restored.first, read_to);
    if (first >= restored.second) continue;
    if (run.second != first) {
      close();
      run.first = first;
    }
    run.second = restored.second;
  }
  close();
}

}  // namespace godwit::sender
