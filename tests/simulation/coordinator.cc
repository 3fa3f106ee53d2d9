#include "tests/simulation/coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace godwit::simulation {

using log::PartitionId;

Coordinator::Coordinator(World& world, std::string group, PartitionId partitions)
    : world_(world), group_(std::move(group)), partitions_(partitions) {}

std::uint64_t Coordinator::join(const std::string& instance, std::function<void()> news) {
  Member& member = members_[instance];
  member.id = ++ids_;
  member.seen = world_.now();
  member.news = std::move(news);
  watch(instance, member.id);
  arrange();
  return member.id;
}

void Coordinator::watch(const std::string& instance, std::uint64_t id) {
  const auto found = members_.find(instance);
  if (found == members_.end() || found->second.id != id) return;
  const Duration silent = world_.now() - found->second.seen;
  if (silent < kSession) {
    world_.after(kSession - silent, [this, instance, id] { watch(instance, id); });
    return;
  }
  world_.say("group", fmt::format("{}: the session of {} is over", group_, instance));
  if (!found->second.owned.empty()) ++generation_;
  members_.erase(found);
  arrange();
}

Coordinator::Orders Coordinator::beat(const std::string& instance, std::uint64_t id) {
  const auto found = members_.find(instance);
  if (found == members_.end() || found->second.id != id) return {.fenced = true};
  Member& member = found->second;
  member.seen = world_.now();
  Orders orders{.generation = generation_, .owned = member.owned};
  for (const PartitionId partition : member.owned) {
    if (wanted_[partition] != instance) orders.asked_back.insert(partition);
  }
  return orders;
}

void Coordinator::release(const std::string& instance, std::uint64_t id, PartitionId partition) {
  const auto found = members_.find(instance);
  if (found == members_.end() || found->second.id != id) return;
  if (found->second.owned.erase(partition) == 0) return;
  world_.say("group", fmt::format("{}: {} released partition {}", group_, instance, partition));
  ++generation_;
  arrange();
}

void Coordinator::leave(const std::string& instance, std::uint64_t id) {
  const auto found = members_.find(instance);
  if (found == members_.end() || found->second.id != id) return;
  world_.say("group", fmt::format("{}: {} leaves", group_, instance));
  if (!found->second.owned.empty()) ++generation_;
  members_.erase(found);
  arrange();
}

void Coordinator::evict(const std::string& instance) {
  const auto found = members_.find(instance);
  if (found != members_.end()) leave(instance, found->second.id);
}

// Each as many as the others, or one more; who has some keeps them.
void Coordinator::arrange() {
  if (members_.empty()) return;
  const std::size_t least = partitions_ / members_.size();
  std::size_t more = partitions_ % members_.size();
  std::map<std::string, std::size_t> share;
  std::vector<std::string> by_size;
  for (const auto& [instance, member] : members_) by_size.push_back(instance);
  std::ranges::sort(by_size, [this](const std::string& a, const std::string& b) {
    const std::size_t of_a = members_[a].owned.size();
    const std::size_t of_b = members_[b].owned.size();
    return of_a != of_b ? of_a > of_b : a < b;
  });
  for (const std::string& instance : by_size) {
    share[instance] = least + (more > 0 ? 1 : 0);
    if (more > 0) --more;
  }
  wanted_.clear();
  for (const std::string& instance : by_size) {
    for (const PartitionId partition : members_[instance].owned) {
      if (share[instance] == 0) break;
      wanted_[partition] = instance;
      --share[instance];
    }
  }
  bool changed = false;
  for (PartitionId partition = 0; partition < partitions_; ++partition) {
    if (!wanted_.contains(partition)) {
      const auto to = std::ranges::find_if(by_size, [&](const auto& i) { return share[i] > 0; });
      wanted_[partition] = *to;
      --share[*to];
    }
    const bool owned = std::ranges::any_of(
        members_, [&](const auto& named) { return named.second.owned.contains(partition); });
    if (owned) continue;
    const std::string& to = wanted_[partition];
    members_[to].owned.insert(partition);
    changed = true;
    tell(to);
    world_.say("group", fmt::format("{}: {} shall own partition {}", group_, to, partition));
  }
  for (const auto& [partition, instance] : wanted_) {
    for (const auto& [owner, member] : members_) {
      if (owner != instance && member.owned.contains(partition)) tell(owner);
    }
  }
  if (changed) ++generation_;
}

void Coordinator::tell(const std::string& instance) {
  using namespace std::chrono_literals;
  world_.after(world_.between(1ms, 30ms), [news = members_[instance].news] { news(); });
}

Answer Coordinator::known(const MemberId& member) const {
  const auto found = members_.find(member.instance);
  if (found == members_.end() || found->second.id != member.id) return Answer::kNoMember;
  return member.generation == generation_ ? Answer::kOk : Answer::kRejoined;
}

}  // namespace godwit::simulation
