#include "sender/partition_life.h"

#include <utility>

namespace godwit::sender {

void PartitionLife::drain() {
  draining_ = true;
  drained_.request();
  wake.reading.notify();
  wake.due.notify();
  wake.parking.notify();
}

void PartitionLife::flush() {
  flushing_ = true;
  wake.parking.notify();
  wake.commit.notify();
}

void PartitionLife::settle() {
  settled_ = true;
  wake.commit.notify();
}

void PartitionLife::lose(std::string why) {
  lost_ = true;
  set_problem(std::move(why));
  drain();
  abort_.request();
  wake.commit.notify();
}

std::string PartitionLife::problem() const {
  const std::lock_guard lock(problem_lock_);
  return problem_;
}

void PartitionLife::set_problem(std::string text) {
  const std::lock_guard lock(problem_lock_);
  problem_ = std::move(text);
}

}  // namespace godwit::sender
