#include "sender/due_queue.h"

#include <algorithm>

#include "common/base/check.h"

namespace godwit::sender {

using std::chrono::floor;
using std::chrono::milliseconds;

std::optional<DueQueue::Scan> DueQueue::want_scan(Timestamp now) {
  if (scanning_to_ || near_.size() >= kEntriesMax) return std::nullopt;
  if (horizon_.at >= now + floor<milliseconds>(kRefill)) return std::nullopt;
  scanning_to_ = now + floor<milliseconds>(kAhead);
  return Scan{due_key(horizon_), due_bound(*scanning_to_), kEntriesMax};
}

void DueQueue::scanned(const std::vector<DueEntry>& entries, bool complete) {
  CHECK(scanning_to_.has_value(), "scanned() follows want_scan()");
  for (const DueEntry& entry : entries) near_.push(entry);
  // The last entry of a part is read again by the next one, and is stale then.
  if (complete) {
    horizon_ = {*scanning_to_, {}};
  } else if (!entries.empty()) {
    horizon_ = entries.back();
  }
  scanning_to_.reset();
}

void DueQueue::scan_failed() {
  scanning_to_.reset();
}

void DueQueue::parked(const DueEntry& entry) {
  // A scan under way may have passed this entry's place before it was written.
  if (entry < horizon_ || (scanning_to_ && entry.at < *scanning_to_)) near_.push(entry);
}

std::vector<DueEntry> DueQueue::take_due(Timestamp now, std::size_t count_max) {
  std::vector<DueEntry> due;
  while (due.size() < count_max && !near_.empty() && near_.top().at <= now) {
    const DueEntry entry = near_.top();
    near_.pop();
    if (due.empty() || due.back() != entry) due.push_back(entry);
  }
  return due;
}

Timestamp DueQueue::next(Timestamp now) const {
  Timestamp next = Timestamp::max();
  if (!near_.empty()) next = near_.top().at;
  if (!scanning_to_ && near_.size() < kEntriesMax) {
    next = std::min(next, std::max(now, horizon_.at - floor<milliseconds>(kRefill)));
  }
  return next;
}

}  // namespace godwit::sender
