#include "common/log/fake_log_reader.h"

#include <algorithm>
#include <utility>

namespace godwit::log::fake {

FakeReader::FakeReader(std::shared_ptr<State> state, TopicPartition where, Offset from)
    : state_(std::move(state)),
      where_(where),
      life_(state_->life),
      waiter_(std::make_shared<Waiter>()) {
  Partition& partition = state_->partitions[where];
  waiter_->next = std::max(from, partition.start);
  partition.waiters.push_back(waiter_);
}

Result<std::vector<Record>> FakeReader::take(std::size_t records_max, std::size_t bytes_max) {
  const std::lock_guard lock(state_->mutex);
  const Partition& partition = state_->partitions[where_];
  Offset& next = waiter_->next;
  if (ended()) return fail(Errc::kClosed);
  if (next < partition.start) return fail(Errc::kNotFound);
  std::vector<Record> taken;
  std::size_t bytes = 0;
  while (taken.size() < std::max<std::size_t>(records_max, 1) && partition.readable(next)) {
    const Partition::Stored& stored = *partition.at(next);
    bytes += stored.record.key.size() + stored.record.value.size();
    if (!taken.empty() && bytes > bytes_max) break;
    if (stored.corrupt) {
      if (taken.empty()) return fail(Errc::kCorrupt, "fake");
      break;
    }
    taken.push_back(stored.record);
    ++next;
  }
  return taken;
}

void FakeReader::when_ready(Wake wake) {
  {
    const std::lock_guard lock(state_->mutex);
    const Partition& partition = state_->partitions[where_];
    waiter_->wake = nullptr;
    if (!partition.readable(waiter_->next) && waiter_->next >= partition.start && !ended()) {
      waiter_->wake = std::move(wake);
      return;
    }
  }
  wake();
}

Offset FakeReader::next() const {
  const std::lock_guard lock(state_->mutex);
  return waiter_->next;
}

void FakeReader::skip_to(Offset offset) {
  const std::lock_guard lock(state_->mutex);
  waiter_->next = offset;
}

}  // namespace godwit::log::fake
