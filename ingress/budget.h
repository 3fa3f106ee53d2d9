#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "common/net/address.h"

// What all sessions of a process hold together is bounded: over it a client hears 452 or 421, and
// the process is never killed for memory.
namespace godwit::ingress {

// Octets of content that were received and are not yet acknowledged by the log.
// Threads  any; one atomic addition.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // False, and nothing is taken, when that would be over the budget.
  [[nodiscard]] bool take(std::uint64_t bytes);
  void give(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool exhausted() const { return used() >= bytes_max_; }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> used_{0};
};

// One message's part of the budget; given back when it is destroyed. Keeps the budget alive,
// because a message whose acknowledgement is late may outlive its session.
class Reservation {
 public:
  explicit Reservation(std::shared_ptr<ByteBudget> budget) : budget_(std::move(budget)) {}
  ~Reservation() { release(); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  [[nodiscard]] bool grow(std::uint64_t bytes);
  void release();
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<ByteBudget> budget_;
  std::uint64_t bytes_ = 0;
};

// Sessions at once, over all and of one client address.
// Threads  any; one short lock for entering and leaving.
class SessionCounts {
 public:
  SessionCounts(std::size_t sessions_max, std::size_t per_address_max)
      : sessions_max_(sessions_max), per_address_max_(per_address_max) {}

  enum class Entry : std::uint8_t { kEntered, kFull, kAddressFull };
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept
        : counts_(std::exchange(other.counts_, nullptr)), address_(other.address_) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(counts_, other.counts_);
      std::swap(address_, other.address_);
      return *this;
    }
    ~Pass() {
      if (counts_ != nullptr) counts_->leave(address_);
    }

   private:
    friend class SessionCounts;
    SessionCounts* counts_ = nullptr;
    net::IpAddress address_;
  };

  // `exempt`: not counted against the limit of its address. On kEntered `pass` counts until it is
  // destroyed.
  [[nodiscard]] std::pair<Entry, Pass> enter(const net::IpAddress& address, bool exempt);
  [[nodiscard]] std::size_t sessions() const;

 private:
  void leave(const net::IpAddress& address);

  const std::size_t sessions_max_;
  const std::size_t per_address_max_;
  mutable std::mutex mutex_;
  std::size_t sessions_ = 0;
  std::unordered_map<net::IpAddress, std::size_t> by_address_;
};

}  // namespace godwit::ingress
