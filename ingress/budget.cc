#include "ingress/budget.h"

namespace godwit::ingress {

bool ByteBudget::take(std::uint64_t bytes) {
  const std::uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  if (before + bytes <= bytes_max_) return true;
  give(bytes);
  return false;
}

bool Reservation::grow(std::uint64_t bytes) {
  if (!budget_->take(bytes)) return false;
  bytes_ += bytes;
  return true;
}

void Reservation::release() {
  budget_->give(std::exchange(bytes_, 0));
}

std::pair<SessionCounts::Entry, SessionCounts::Pass> SessionCounts::enter(
    const net::IpAddress& address, bool exempt) {
  std::pair<Entry, Pass> result{Entry::kEntered, Pass{}};
  const std::lock_guard lock(mutex_);
  if (sessions_ >= sessions_max_) {
    result.first = Entry::kFull;
    return result;
  }
  std::size_t& of_address = by_address_[address];
  if (!exempt && of_address >= per_address_max_) {
    result.first = Entry::kAddressFull;
    return result;
  }
  ++sessions_;
  ++of_address;
  result.second.counts_ = this;
  result.second.address_ = address;
  return result;
}

void SessionCounts::leave(const net::IpAddress& address) {
  const std::lock_guard lock(mutex_);
  --sessions_;
  const auto found = by_address_.find(address);
  if (--found->second == 0) by_address_.erase(found);
}

std::size_t SessionCounts::sessions() const {
  const std::lock_guard lock(mutex_);
  return sessions_;
}

}  // namespace godwit::ingress
