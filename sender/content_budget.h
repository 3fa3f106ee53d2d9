#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/observe/metrics.h"

namespace godwit::sender {

// How much content the process has loaded, for attempts and for parking, all partitions together.
//
//     ContentBudget::Share share = budget.try_take(octets);    pipelined behind a transaction: never waits
//     share = co_await budget.take(shard, octets, by, stop);   with nothing in hand: waits for its turn
//
// Deadlock   whoever holds a share never waits for another one: it only tries. So every share that is waited for
//            comes back
// Order      first come, first served; while somebody waits try_take() gets nothing, so that large content is not
//            passed by small for ever
// Limits     `bytes_max` octets are out at a time; content larger than that goes alone
// Threads    any; a wait belongs to its shard. Outlives its shares
class ContentBudget {
 public:
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->give_back(bytes_);
    }
    explicit operator bool() const { return budget_ != nullptr; }

   private:
    friend class ContentBudget;
    Share(ContentBudget* budget, std::uint64_t bytes) : budget_(budget), bytes_(bytes) {}
    ContentBudget* budget_ = nullptr;
    std::uint64_t bytes_ = 0;
  };

  ContentBudget(std::uint64_t bytes_max, observe::Metrics& metrics);

  // Nothing: there is no room now, or others wait.
  [[nodiscard]] Share try_take(std::uint64_t bytes);
  // Nothing: the deadline has passed, or `stop` was requested.
  [[nodiscard]] async::Task<Share> take(async::Shard& shard, std::uint64_t bytes, Instant deadline,
                                        async::StopSignal& stop);

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Waiter;

  [[nodiscard]] bool fits(std::uint64_t bytes) const { return bytes <= bytes_max_ - bytes_; }
  [[nodiscard]] std::uint64_t counted(std::uint64_t bytes) const {
    return std::min(bytes, bytes_max_);
  }
  void grant(std::uint64_t bytes);
  void grant_waiting();
  void give_back(std::uint64_t bytes);

  const std::uint64_t bytes_max_;
  observe::Gauge& gauge_;
  observe::Counter& waits_;
  mutable std::mutex mutex_;
  std::uint64_t bytes_ = 0;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace godwit::sender
