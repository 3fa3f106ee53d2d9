#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "sender/queued_delivery.h"

namespace godwit::sender {

// Deliveries of the window that wait for their due time in memory, because only the reserve of the log is left
// and parking would eat it (SpareRoom). Their content stays where it was accepted.
//
// Limits    all of them are unfinished in a window, which bounds them
// Threads   pure; belongs to one shard
class KeptQueue {
 public:
  void push(Timestamp look_at, DeliveryPtr delivery) {
    waiting_.emplace(look_at, std::move(delivery));
  }
  // What is to be looked at by `now`, oldest first.
  [[nodiscard]] std::vector<DeliveryPtr> take_due(Timestamp now) {
    std::vector<DeliveryPtr> due;
    while (!waiting_.empty() && waiting_.begin()->first <= now) due.push_back(pop());
    return due;
  }
  // The one with the nearest time.
  [[nodiscard]] DeliveryPtr pop() {
    DeliveryPtr first = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    return first;
  }
  [[nodiscard]] QueuedDelivery& first() { return *waiting_.begin()->second; }
  template <class Visit>
  void visit(const Visit& visit) const {
    for (const auto& [at, delivery] : waiting_) visit(*delivery);
  }
  [[nodiscard]] Timestamp next() const {
    return waiting_.empty() ? Timestamp::max() : waiting_.begin()->first;
  }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

 private:
  std::multimap<Timestamp, DeliveryPtr> waiting_;
};

}  // namespace godwit::sender
