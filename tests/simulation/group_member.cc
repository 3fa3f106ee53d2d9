#include "tests/simulation/group_member.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/log/ownership_rules.h"
#include "tests/simulation/laws.h"

namespace godwit::simulation {

using namespace std::chrono_literals;
using log::Offset;
using log::PartitionId;
using log::Topic;
using log::TopicPartition;

namespace {

constexpr std::size_t kLanes = 2;
constexpr Duration kHeartbeat = 3s;
constexpr Duration kLookAgain = 50ms;
constexpr Duration kTakeAgain = 500ms;
constexpr Duration kRevocation = 30s;
constexpr std::size_t kReplayRecords = 20;
constexpr std::string_view kSource = "simulated retries 1";

}  // namespace

GroupMember::GroupMember(Process& process, Coordinator& group, log::GroupSpec spec,
                         std::shared_ptr<log::GroupListener> listener)
    : process_(process), group_(group), spec_(std::move(spec)), listener_(std::move(listener)) {
  for (std::size_t number = 0; number < kLanes; ++number) {
    lanes_.push_back(std::make_unique<TransactionLane>(TransactionLane::Environment{
        .process = process_,
        .id = fmt::format("{}.{}.{}", spec_.name, process_.node, number),
        .spec = spec_,
        .group = group_,
        .member = [this] { return member_; },
        .ended = [this](const auto& partition) { on_ended(partition); }}));
  }
  process_.spawn(live());
}

// --- What the group says -------------------------------------------------------------------------

async::Task<void> GroupMember::live() {
  member_.instance = process_.node;
  // Who ends keeps his session until he has left.
  for (;;) {
    const Instant now = process_.shard().now();
    if (!joined_) {
      if (ending_) co_return;
      const auto id = co_await ask<std::uint64_t>(process_, [this] {
        return group_.join(member_.instance, [&process = process_, &news = news_] {
          if (!process.alive) return;
          process.awake = true;
          process.shard().post([&news] { news.notify(); });
        });
      });
      if (!id || ending_) continue;
      member_.id = *id;
      heard_ = now;
      joined_ = true;
    }
    auto orders = co_await ask<Coordinator::Orders>(process_, [&group = group_, member = member_] {
      return group.beat(member.instance, member.id);
    });
    if (orders && !orders->fenced) {
      heard_ = now;
      member_.generation = orders->generation;
      if (ending_) orders->owned.clear(), orders->asked_back.clear();
      for (const PartitionId partition : orders->owned) {
        if (!orders->asked_back.contains(partition)) assign(partition);
      }
      for (const PartitionId partition : orders->asked_back) let_go(partition);
    } else if (orders || process_.shard().now() - heard_ > Coordinator::kSession) {
      // Put out of the group, or so long without a word that it must be so.
      joined_ = false;
      if (!ending_) lose_all();
      continue;
    }
    (void)co_await news_.wait(process_.shard().now() + kHeartbeat);
  }
}

void GroupMember::lose_all() {
  std::vector<PartitionId> all;
  for (const auto& [partition, place] : places_) all.push_back(partition);
  for (const PartitionId partition : all) lose(partition);
}

void GroupMember::assign(PartitionId partition) {
  if (places_.contains(partition)) return;
  Place& place = places_[partition];
  place.turn = ++turns_;
  place.generation = place.turn;
  process_.spawn(take(partition, place.turn));
}

// Asks the listener to finish; nothing to ask when it never had the partition.
void GroupMember::let_go(PartitionId partition) {
  const auto [at, unknown] = places_.try_emplace(partition);
  Place& place = at->second;
  if (unknown) place.turn = ++turns_;  // asked back before it was begun with
  if (place.phase == Phase::kReleasing) return;
  const bool owned = place.phase == Phase::kOwned;
  place.phase = Phase::kReleasing;
  place.released = !owned;
  const std::uint64_t turn = place.turn;
  if (!ending_) process_.spawn(give_back(partition, turn, true));
  if (!owned) return;
  listener_->revoked(partition, [this, partition, turn] {
    const auto left = places_.find(partition);
    if (left != places_.end() && left->second.turn == turn) left->second.released = true;
  });
}

void GroupMember::lose(PartitionId partition) {
  const auto found = places_.find(partition);
  if (found == places_.end()) return;
  const auto owned = std::move(found->second.owned);
  places_.erase(found);
  for (const Topic topic : spec_.tables) process_.disk.wipe({topic, partition});
  if (!owned || !owned->end()) return;
  process_.cluster.laws.ended(process_.life, spec_.name, partition, true);
  (void)lane(partition).busy(partition);
  listener_->lost(partition);
}

// --- What a lane says ----------------------------------------------------------------------------

void GroupMember::on_ended(const std::shared_ptr<OwnedPartition>& partition) {
  process_.cluster.laws.ended(process_.life, spec_.name, partition->partition(), true);
  doubted_ = process_.shard().now();
  const auto found = places_.find(partition->partition());
  if (found == places_.end() || found->second.owned != partition) return;
  Place& place = found->second;
  if (place.phase != Phase::kOwned) {
    place.released = true;
    return;
  }
  place.phase = Phase::kTaking;
  place.turn = ++turns_;
  place.owned = nullptr;
  listener_->lost(partition->partition());
  if (!ending_) process_.spawn(take(partition->partition(), place.turn));
}

// --- Taking --------------------------------------------------------------------------------------

bool GroupMember::wanted(PartitionId partition, std::uint64_t turn) const {
  const auto found = places_.find(partition);
  return !ending_ && found != places_.end() && found->second.turn == turn &&
         found->second.phase == Phase::kTaking;
}

async::Task<void> GroupMember::take(PartitionId partition, std::uint64_t turn) {
  while (wanted(partition, turn)) {
    // After a refusal the group has to say first that this is still a member.
    if (heard_ > doubted_ && lane(partition).ready() && co_await try_to_take(partition, turn))
      co_return;
    co_await async::sleep_for(lane(partition).ready() ? kTakeAgain : kLookAgain);
  }
}

async::Task<bool> GroupMember::try_to_take(PartitionId partition, std::uint64_t turn) {
  std::vector<Topic> topics{spec_.subscribed};
  topics.insert(topics.end(), spec_.followed.begin(), spec_.followed.end());
  std::map<Topic, Offset> positions;
  for (const Topic topic : topics) {
    const auto position = co_await ask<Brokers::Position>(
        process_,
        [&brokers = process_.cluster.brokers, group = spec_.name,
         where = TopicPartition{topic, partition}] { return brokers.position(group, where); });
    const bool stable =
        position && (position->stable || process_.cluster.mutant == Mutant::kUnstablePositions);
    if (!stable) co_return false;
    const auto first = log::first_offset(position->next.value_or(-1), 0);
    if (!first) co_return false;
    positions[topic] = *first;
  }
  for (const Topic topic : spec_.tables) {
    if (!co_await rebuild({topic, partition})) co_return false;
  }
  if (!wanted(partition, turn)) co_return true;
  Place& place = places_.at(partition);
  auto owned = std::make_shared<OwnedPartition>(process_, lane(partition), spec_, partition,
                                                place.generation, std::move(positions));
  place.phase = Phase::kOwned;
  place.owned = owned;
  lane(partition).add(owned);
  process_.world().say(process_.name(), fmt::format("{}: owns partition {}, from {}", spec_.name,
                                                    partition, owned->position().next));
  process_.cluster.laws.owned(process_.life, spec_.name, partition);
  listener_->assigned(std::move(owned));
  co_return true;
}

async::Task<bool> GroupMember::rebuild(TopicPartition where) {
  Brokers& brokers = process_.cluster.brokers;
  const Mutant mutant = process_.cluster.mutant;
  const auto high = co_await ask<Offset>(process_, [&brokers, where, mutant] {
    return mutant == Mutant::kReplayToLastStable ? brokers.last_stable(where)
                                                 : brokers.high_watermark(where);
  });
  if (!high) co_return false;
  const log::Rebuild rebuild{*high};
  const Timestamp now = process_.world().clock().now();
  const auto& mark = process_.disk.at(where).mark;
  std::optional<Offset> from = log::reusable(mark, kSource, now);
  if (mutant == Mutant::kReuseOldCopy && mark) from = mark->next;
  if (!from) process_.disk.wipe(where);
  Offset next = from.value_or(0);
  while (!rebuild.ends_at(next)) {
    const auto fetched = co_await ask<Brokers::Fetched>(process_, [&brokers, where, next] {
      return brokers.fetch(where, next, kReplayRecords, 1u << 20);
    });
    if (!fetched) co_return false;
    for (const auto& [record, tombstone] : fetched->records) {
      process_.disk.apply(where, record.key,
                          tombstone ? std::nullopt : std::optional(record.value.to_string()));
    }
    next = fetched->next;
    process_.disk.at(where).mark =
        log::CopyMark{std::string(kSource), next, process_.world().clock().now()};
    // Behind the last stable offset there may be more; it is waited for.
    if (fetched->at_end && !rebuild.ends_at(next)) co_await async::sleep_for(kLookAgain);
  }
  co_return true;
}

// --- Giving back ---------------------------------------------------------------------------------

async::Task<void> GroupMember::give_back(PartitionId partition, std::uint64_t turn, bool for_good) {
  const Instant deadline = process_.shard().now() + kRevocation;
  for (;;) {
    const auto found = places_.find(partition);
    if (found == places_.end() || found->second.turn != turn) co_return;
    const bool over = process_.shard().now() > deadline;
    if (over || (found->second.released && !lane(partition).busy(partition))) break;
    co_await async::sleep_for(kLookAgain);
  }
  const auto owned = std::move(places_.at(partition).owned);
  if (owned && owned->end()) {
    process_.cluster.laws.ended(process_.life, spec_.name, partition, false);
  }
  (void)lane(partition).busy(partition);
  if (!for_good) {
    places_.erase(partition);
    co_return;
  }
  for (const Topic topic : spec_.tables) process_.disk.wipe({topic, partition});
  for (;;) {
    const MemberId member = member_;
    const auto told = co_await ask<bool>(process_, [&group = group_, member, partition] {
      group.release(member.instance, member.id, partition);
      return true;
    });
    if (told) break;
  }
  const auto found = places_.find(partition);
  if (found != places_.end() && found->second.turn == turn) places_.erase(found);
}

void GroupMember::finish(bool leave, std::move_only_function<void()> finished) {
  process_.spawn(end(leave, std::move(finished)));
}

async::Task<void> GroupMember::end(bool leave, std::move_only_function<void()> finished) {
  ending_ = true;
  std::vector<std::pair<PartitionId, std::uint64_t>> all;
  for (const auto& [partition, place] : places_) all.emplace_back(partition, place.turn);
  for (const auto& [partition, turn] : all) {
    let_go(partition);
    co_await give_back(partition, turn, false);
  }
  if (leave) {
    const MemberId member = member_;
    (void)co_await ask<bool>(process_, [&group = group_, member] {
      group.leave(member.instance, member.id);
      return true;
    });
  }
  finished();
}

}  // namespace godwit::simulation
