#include "common/role/partitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace godwit::role {

Partitions::Partitions(async::Shards& shards, async::Gate& gate, Make make)
    : shards_(shards), gate_(gate), make_(std::move(make)) {}

void Partitions::assigned(std::shared_ptr<log::Ownership> ownership) {
  const log::PartitionId partition = ownership->partition();
  const std::size_t index = partition % shards_.size();
  async::Shard& shard = shards_.at(index);
  std::shared_ptr<PartitionWork> work;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return;
    work = make_(std::move(ownership), index);
    members_.push_back({.partition = partition, .shard = &shard, .work = work, .released = {}});
  }
  if (!shard.spawn(run(shared_from_this(), work), gate_)) ended(work.get());
}

void Partitions::revoked(log::PartitionId partition, std::move_only_function<void()> released) {
  {
    const std::lock_guard lock(mutex_);
    if (Member* member = find(partition)) {
      member->released = std::move(released);
      member->shard->post([work = member->work] { work->stop(); });
      return;
    }
  }
  released();
}

void Partitions::lost(log::PartitionId partition) {
  const std::lock_guard lock(mutex_);
  if (Member* member = find(partition))
    member->shard->post([work = member->work] { work->lose(); });
}

void Partitions::drain(Duration bound) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  for (const Member& member : members_) member.shard->post([work = member.work] { work->drain(); });
  changed_.wait_for(lock, bound, [this] { return members_.empty(); });
}

std::string Partitions::problem() const {
  const std::lock_guard lock(mutex_);
  for (const Member& member : members_) {
    const std::string problem = member.work->problem();
    if (!problem.empty()) return fmt::format("partition {}: {}", member.partition, problem);
  }
  return {};
}

// The youngest: one that was lost may still be ending when the partition comes again.
Partitions::Member* Partitions::find(log::PartitionId partition) {
  const auto found = std::find_if(members_.rbegin(), members_.rend(), [&](const Member& member) {
    return member.partition == partition;
  });
  return found == members_.rend() ? nullptr : &*found;
}

async::Task<void> Partitions::run(std::shared_ptr<Partitions> self,
                                  std::shared_ptr<PartitionWork> work) {
  co_await work->run();
  self->ended(work.get());
}

void Partitions::ended(const PartitionWork* work) {
  std::move_only_function<void()> released;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(
        members_, [&](const Member& member) { return member.work.get() == work; });
    if (found == members_.end()) return;
    released = std::move(found->released);
    members_.erase(found);
    changed_.notify_all();
  }
  if (released) released();
}

}  // namespace godwit::role
