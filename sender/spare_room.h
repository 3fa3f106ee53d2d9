#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "common/base/clock.h"

namespace godwit::log {
class Log;
}

namespace godwit::sender {

// Whether what can wait may be written now. The log keeps a reserve for endings, which make room; parking copies
// content and would eat it, and then nothing could end any more.
//
// Content is written twice, into the log and into its table, and the log counts its room a little later. So what
// was asked for here is counted until the log's figure must show it.
//
//     auto share = room.take(octets);   nothing: only the reserve is left, or would be
//     ...                               the share is kept until the commit is acknowledged, or given up
//
// Limits    asks the log at most every kAskAgain
// Threads   any. One a process; outlives its shares
class SpareRoom {
 public:
  static constexpr Duration kAskAgain = std::chrono::milliseconds{50};
  // After which the log's figure shows what was written.
  static constexpr Duration kShown = std::chrono::seconds{2};

  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (room_ != nullptr) room_->give_back(bytes_);
    }
    explicit operator bool() const { return room_ != nullptr; }

   private:
    friend class SpareRoom;
    Share(SpareRoom* room, std::uint64_t bytes) : room_(room), bytes_(bytes) {}
    SpareRoom* room_ = nullptr;
    std::uint64_t bytes_ = 0;
  };

  SpareRoom(const log::Log& log, const Clock& clock) : log_(log), clock_(clock) {}

  // For content of that many octets, or, 0, for a small record that can wait.
  [[nodiscard]] Share take(std::uint64_t content_bytes);

 private:
  void give_back(std::uint64_t bytes);

  struct Written {
    Instant until;
    std::uint64_t bytes;
  };
  const log::Log& log_;
  const Clock& clock_;
  std::mutex mutex_;
  Instant asked_{};
  bool known_ = false;
  std::uint64_t free_ = 0;   // as the log said
  std::uint64_t taken_ = 0;  // shares, and what the log does not show yet
  std::deque<Written> written_;
};

}  // namespace godwit::sender
