#include "sender/spare_room.h"

#include "common/log/log.h"

namespace godwit::sender {

namespace {

constexpr std::uint64_t kSmallRecords = 4096;  // with what a commit of its own adds

}  // namespace

SpareRoom::Share SpareRoom::take(std::uint64_t content_bytes) {
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.instant();
  while (!written_.empty() && written_.front().until <= now) {
    taken_ -= written_.front().bytes;
    written_.pop_front();
  }
  if (!known_ || now - asked_ >= kAskAgain) {
    free_ = log_.status().bytes_free;
    asked_ = now;
    known_ = true;
  }
  const std::uint64_t bytes = 2 * content_bytes + kSmallRecords;
  if (taken_ + bytes > free_) return {};
  taken_ += bytes;
  return {this, bytes};
}

void SpareRoom::give_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const Instant until = clock_.instant() + kShown;
  // One entry for what comes close together: their number is bounded.
  if (!written_.empty() && until - written_.back().until < kAskAgain) {
    written_.back().bytes += bytes;
    return;
  }
  written_.push_back({until, bytes});
}

}  // namespace godwit::sender
