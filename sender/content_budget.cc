#include "sender/content_budget.h"

#include <algorithm>

#include "common/async/event.h"
#include "common/base/check.h"

namespace godwit::sender {
namespace {

const observe::GaugeDefinition kBytes{"godwit_sender_content_bytes",
                                      "Octets of content loaded for attempts and parking."};
const observe::GaugeDefinition kBytesMax{
    "godwit_sender_content_bytes_max",
    "What godwit_sender_content_bytes may come to: sender.content_memory."};
const observe::CounterDefinition kWaits{"godwit_sender_content_waits_total",
                                        "Waits for a share of content_memory."};

}  // namespace

struct ContentBudget::Waiter : std::enable_shared_from_this<ContentBudget::Waiter> {
  Waiter(async::Shard& of, std::uint64_t bytes_in) : shard(of), bytes(bytes_in) {}
  void wake() {
    shard.post([self = shared_from_this()] { self->event.notify(); });
  }
  async::Shard& shard;
  const std::uint64_t bytes;
  bool granted = false;  // under the budget's lock
  async::Event event;
};

ContentBudget::ContentBudget(std::uint64_t bytes_max, observe::Metrics& metrics)
    : bytes_max_(bytes_max), gauge_(metrics.gauge(kBytes)), waits_(metrics.counter(kWaits)) {
  metrics.gauge(kBytesMax).set(static_cast<double>(bytes_max));
}

void ContentBudget::grant(std::uint64_t bytes) {
  bytes_ += bytes;
  gauge_.set(static_cast<double>(bytes_));
}

ContentBudget::Share ContentBudget::try_take(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!waiting_.empty() || !fits(counted(bytes))) return {};
  grant(counted(bytes));
  return {this, counted(bytes)};
}

async::Task<ContentBudget::Share> ContentBudget::take(async::Shard& shard, std::uint64_t bytes,
                                                      Instant deadline, async::StopSignal& stop) {
  if (Share share = try_take(bytes)) co_return share;
  if (stop.requested()) co_return Share{};
  const auto waiter = std::make_shared<Waiter>(shard, counted(bytes));
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(waiter);
    grant_waiting();  // something may have come back meanwhile
  }
  waits_.add();
  const async::StopSignal::Callback on_stop(stop, [&waiter] { waiter->event.notify(); });
  co_await waiter->event.wait(deadline);
  const std::lock_guard lock(mutex_);
  if (waiter->granted) co_return Share(this, waiter->bytes);
  std::erase(waiting_, waiter);
  grant_waiting();  // those behind may want less
  co_return Share{};
}

// With the lock held.
void ContentBudget::grant_waiting() {
  while (!waiting_.empty() && fits(waiting_.front()->bytes)) {
    const std::shared_ptr<Waiter> first = std::move(waiting_.front());
    waiting_.pop_front();
    grant(first->bytes);
    first->granted = true;
    first->wake();
  }
}

void ContentBudget::give_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  CHECK(bytes <= bytes_, "{} given back, {} are out", bytes, bytes_);
  bytes_ -= bytes;
  gauge_.set(static_cast<double>(bytes_));
  grant_waiting();
}

std::uint64_t ContentBudget::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t ContentBudget::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

}  // namespace godwit::sender
