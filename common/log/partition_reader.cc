#include "common/log/partition_reader.h"

#include <algorithm>
#include <utility>

namespace godwit::log {

PartitionReader::PartitionReader(PartitionLog& partition, Counters& counters, Offset from)
    : partition_(partition),
      counters_(counters),
      next_(std::max(from, partition.start())),
      waiter_(std::make_shared<Waiter>()) {}

PartitionReader::~PartitionReader() {
  partition_.disarm(waiter_);
  const std::lock_guard lock(waiter_->mutex);  // a wake-up under way has returned
  waiter_->wake = nullptr;
}

Result<std::vector<Record>> PartitionReader::take(std::size_t records_max, std::size_t bytes_max) {
  if (ahead_.empty()) {
    PartitionLog::Found found = partition_.find(next_, records_max, bytes_max);
    if (found.error) return fail(*found.error);
    if (!found.run) {
      counters_.tail_cache_hits_total.fetch_add(found.records.size(), std::memory_order_relaxed);
      next_ += static_cast<Offset>(found.records.size());
      return std::move(found.records);
    }
    TRY(std::vector<Record> records, read_run(*found.run));
    counters_.tail_cache_misses_total.fetch_add(records.size(), std::memory_order_relaxed);
    const auto skipped = records.begin() + (next_ - found.run->first);
    ahead_.assign(std::make_move_iterator(skipped), std::make_move_iterator(records.end()));
  }
  std::vector<Record> taken;
  std::size_t bytes = 0;
  while (!ahead_.empty() && taken.size() < std::max<std::size_t>(records_max, 1)) {
    bytes += ahead_.front().key.size() + ahead_.front().value.size();
    if (!taken.empty() && bytes > bytes_max) break;
    taken.push_back(std::move(ahead_.front()));
    ahead_.pop_front();
  }
  next_ += static_cast<Offset>(taken.size());
  return taken;
}

void PartitionReader::when_ready(Wake wake) {
  bool ready = !ahead_.empty();
  if (!ready) {
    const std::lock_guard lock(waiter_->mutex);
    waiter_->wake = std::move(wake);
    if (!partition_.arm(waiter_, next_)) return;
    wake = std::exchange(waiter_->wake, nullptr);
    ready = wake != nullptr;
  }
  if (ready) wake();
}

void PartitionReader::skip_to(Offset offset) {
  next_ = offset;
  ahead_.clear();
}

}  // namespace godwit::log
