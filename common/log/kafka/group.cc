#include "common/log/kafka/group.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/ownership_rules.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};
// A partition that is attached waits for as long as the request before it.
constexpr std::chrono::milliseconds kFetchWait = 100ms;
constexpr std::chrono::milliseconds kLookAgain = 20ms;
constexpr std::chrono::milliseconds kTakeAgain = 500ms;
constexpr std::chrono::milliseconds kHaltedAgain = 5s;
constexpr std::chrono::milliseconds kLeaveMin = 2s;

}  // namespace

KafkaGroup::KafkaGroup(Environment environment, GroupSpec spec,
                       std::shared_ptr<GroupListener> listener)
    : env_(std::move(environment)), spec_(std::move(spec)), listener_(std::move(listener)) {}

Result<std::unique_ptr<KafkaGroup>> KafkaGroup::join(Environment environment, GroupSpec spec,
                                                     std::shared_ptr<GroupListener> listener) {
  // An open transaction hides every later record of its partitions: a router's are short.
  constexpr std::chrono::milliseconds kRouting = 5s;
  constexpr std::chrono::milliseconds kSending = 10s;
  std::unique_ptr<KafkaGroup> group(
      new KafkaGroup(std::move(environment), std::move(spec), std::move(listener)));
  const Environment& env = group->env_;
  for (const Topic topic : group->spec_.tables) {
    env.copies->set_indexer(topic, group->spec_.indexer_version, group->spec_.indexer);
  }
  TRY(group->reader_,
      KafkaConsumer::start(env.options, env.names, group->spec_.name + "-read", kFetchWait));
  KafkaGroup* const at = group.get();
  GroupMember::Spec membership{
      .group = group->spec_.name,
      .subscribed = group->spec_.subscribed,
      .assigned = [at](const auto& partitions) { at->on_assigned(partitions); },
      .revoked = [at](const auto& partitions, bool lost) { at->on_revoked(partitions, lost); },
      .failed = [at](std::string problem) { at->on_failed(std::move(problem)); },
      .tick = [at] { return at->tick(); }};
  group->metrics_ = std::make_shared<GroupMetrics>(*env.options.metrics, group->spec_.name);
  // Lanes first: their producers begin while the group is being joined.
  for (std::uint32_t number = 0; number < env.options.transaction_lanes; ++number) {
    group->lanes_.push_back(std::make_shared<TransactionLane>(TransactionLane::Environment{
        .options = env.options,
        .names = env.names,
        .producer = {.id = fmt::format("{}{}.{}.{}", env.names.prefix(), group->spec_.name,
                                       env.options.node, number),
                     .timeout = group->spec_.tables.empty() ? kRouting : kSending,
                     .queue_bytes = TransactionLane::kQueueBytesMax},
        .copies = env.copies,
        .shared = env.shared,
        .metrics = group->metrics_,
        .tables = group->spec_.tables,
        .metadata = [at] { return rd_kafka_consumer_group_metadata(at->member_->handle()); },
        .ended = [at](const auto& partition) { at->on_ended(partition); }}));
  }
  group->taker_ = std::make_unique<PartitionTaker>(
      PartitionTaker::Environment{.options = env.options,
                                  .names = env.names,
                                  .admin = env.admin,
                                  .copies = env.copies,
                                  .reader = group->reader_.get(),
                                  .metrics = group->metrics_,
                                  .group = group->spec_.name,
                                  .read = group->read_topics(),
                                  .tables = group->spec_.tables,
                                  .kept_position = group->spec_.kept_position});
  TRY(group->member_, GroupMember::join(env.options, env.names, std::move(membership)));
  group->thread_ = std::thread([at] { at->take_work(); });
  group->sample();
  return group;
}

KafkaGroup::~KafkaGroup() {
  stop(0ms);
}

std::string KafkaGroup::problem() const {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) return failure_;
  if (!problem_.empty()) return problem_;
  for (const auto& [partition, place] : places_) {
    if (!place.halted.empty()) return place.halted;
  }
  return {};
}

void KafkaGroup::set_problem(std::string problem) {
  if (!problem.empty()) kLog.warning("a group", {{"group", spec_.name}, {"problem", problem}});
  const std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

std::vector<Topic> KafkaGroup::read_topics() const {
  std::vector<Topic> topics{spec_.subscribed};
  topics.insert(topics.end(), spec_.followed.begin(), spec_.followed.end());
  return topics;
}

// --- What the group says, on the consumer's thread ---------------------------------------------------------------

void KafkaGroup::on_assigned(const std::vector<PartitionId>& partitions) {
  kLog.info("partitions assigned", {{"group", spec_.name}, {"count", partitions.size()}});
  const std::lock_guard lock(mutex_);
  for (const PartitionId partition : partitions) {
    const std::uint64_t turn = ++turns_;
    places_[partition] = {.generation = turn, .turn = turn};
    to_take_.insert(partition);
  }
  changed_.notify_all();
}

void KafkaGroup::on_revoked(const std::vector<PartitionId>& partitions, bool lost) {
  kLog.info("partitions revoked",
            {{"group", spec_.name}, {"count", partitions.size()}, {"lost", lost}});
  for (const PartitionId partition : partitions) {
    if (lost) {
      lose(partition);
    } else {
      let_go(partition);
    }
  }
  revocations_.push_back({partitions, std::chrono::steady_clock::now() + env_.options.revocation});
  (void)tick();
}

// Librdkafka makes it a member no more; whoever has the name now keeps what belongs to it.
void KafkaGroup::on_failed(std::string problem) {
  {
    const std::lock_guard lock(mutex_);
    failure_ = fmt::format(
        "another process has taken the name {} in the group {}, and this one has to end: {}",
        env_.options.node, spec_.name, problem);
  }
  ended_ = true;
  // Their transactional ids are the other's too: to begin again would fence it.
  for (const auto& lane : lanes_) lane->ask_to_stop();
  std::vector<PartitionId> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [partition, place] : places_) all.push_back(partition);
  }
  for (const PartitionId partition : all) {
    lose(partition);
    release(partition);
    wipe(partition);
  }
}

// Asks the listener to finish; nothing to ask when it never had the partition.
void KafkaGroup::let_go(PartitionId partition) {
  const std::lock_guard one_at_a_time(listener_mutex_);
  std::uint64_t turn = 0;
  {
    const std::lock_guard lock(mutex_);
    to_take_.erase(partition);
    const auto place = places_.find(partition);
    if (place == places_.end()) return;
    const bool owned = place->second.phase == Phase::kOwned;
    place->second.phase = Phase::kReleasing;
    place->second.released = !owned;
    if (!owned) return;
    turn = place->second.turn;
  }
  listener_->revoked(partition, [this, partition, turn] {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(partition);
    if (place != places_.end() && place->second.turn == turn) place->second.released = true;
    changed_.notify_all();
  });
}

void KafkaGroup::lose(PartitionId partition) {
  const std::lock_guard one_at_a_time(listener_mutex_);
  std::shared_ptr<OwnedPartition> owned;
  bool told = false;  // the listener has it
  {
    const std::lock_guard lock(mutex_);
    to_take_.erase(partition);
    const auto place = places_.find(partition);
    if (place == places_.end()) return;
    owned = place->second.owned;
    told = place->second.phase == Phase::kOwned || place->second.phase == Phase::kReleasing;
    place->second.phase = Phase::kReleasing;
    place->second.released = true;
  }
  if (owned && owned->end() && told) listener_->lost(partition);
}

bool KafkaGroup::settled(const Revocation& revocation) {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(revocation.partitions, [&](PartitionId partition) {
    const auto place = places_.find(partition);
    return place == places_.end() || place->second.released;
  });
}

// Its readers stop, and its place is free.
void KafkaGroup::release(PartitionId partition) {
  std::shared_ptr<OwnedPartition> owned;
  {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(partition);
    if (place == places_.end()) return;
    owned = std::move(place->second.owned);
    places_.erase(place);
  }
  if (!owned) return;
  owned->end();
  (void)lane(partition)->busy(partition);  // what waits of it is refused
  for (const Topic topic : read_topics()) reader_->detach({topic, partition});
}

void KafkaGroup::wipe(PartitionId partition) {
  for (const Topic topic : spec_.tables) {
    if (auto wiped = env_.copies->wipe({topic, partition}); !wiped) {
      kLog.warning("a copy", {{"problem", wiped.error()}});
    }
  }
}

// True: something is still to be given back.
bool KafkaGroup::tick() {
  const bool lost = !revocations_.empty() && member_->assignment_lost();
  for (auto at = revocations_.begin(); at != revocations_.end();) {
    const bool over = lost || std::chrono::steady_clock::now() > at->deadline;
    if (!over && !settled(*at)) {
      ++at;
      continue;
    }
    const auto busy = [this](PartitionId partition) { return lane(partition)->busy(partition); };
    if (!over && std::ranges::any_of(at->partitions, busy)) {
      ++at;
      continue;
    }
    for (const PartitionId partition : at->partitions) {
      release(partition);
      wipe(partition);
    }
    member_->release();
    at = revocations_.erase(at);
  }
  return !revocations_.empty();
}

// --- What a lane says --------------------------------------------------------------------------------------------

void KafkaGroup::on_ended(const std::shared_ptr<OwnedPartition>& partition) {
  const PartitionId number = partition->partition();
  const std::lock_guard one_at_a_time(listener_mutex_);
  bool owned = false;
  {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(number);
    if (place == places_.end() || place->second.owned != partition) return;
    if (place->second.phase == Phase::kReleasing) {
      place->second.released = true;
      return;
    }
    owned = place->second.phase == Phase::kOwned;
    place->second.owned = nullptr;
  }
  if (owned) {
    listener_->lost(number);
    for (const Topic topic : read_topics()) reader_->detach({topic, number});
  }
  take_again(number, 0ms, {});
}

// --- Taking ------------------------------------------------------------------------------------------------------

void KafkaGroup::take_again(PartitionId partition, std::chrono::milliseconds later,
                            std::string halted) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(partition);
  if (stopping_ || ended_ || found == places_.end() || found->second.phase == Phase::kReleasing)
    return;
  Place& place = found->second;
  place.phase = Phase::kTaking;
  place.turn = ++turns_;
  place.not_before = std::chrono::steady_clock::now() + later;
  place.halted = std::move(halted);
  to_take_.insert(partition);
  changed_.notify_all();
}

// Of those that are wanted: what can be taken now. What its lane is still at work on is another
// ownership's.
std::vector<PartitionId> KafkaGroup::next_to_take() {
  std::vector<PartitionId> wanted;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !to_take_.empty(); });
    if (stopping_) return {};
    const Instant now = std::chrono::steady_clock::now();
    for (const PartitionId partition : to_take_) {
      if (lane(partition)->ready() && places_.at(partition).not_before <= now)
        wanted.push_back(partition);
    }
  }
  std::erase_if(wanted, [this](PartitionId partition) { return lane(partition)->busy(partition); });
  const std::lock_guard lock(mutex_);
  std::erase_if(wanted, [this](PartitionId partition) { return to_take_.erase(partition) == 0; });
  return wanted;
}

void KafkaGroup::take_work() {
  const auto go_on = [this] {
    const std::lock_guard lock(mutex_);
    return !stopping_;
  };
  while (go_on()) {
    const std::vector<PartitionId> wanted = next_to_take();
    if (wanted.empty()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kLookAgain, [this] { return stopping_; });
      continue;
    }
    std::map<PartitionId, std::uint64_t> turns;
    {
      const std::lock_guard lock(mutex_);
      for (const PartitionId partition : wanted) {
        const auto place = places_.find(partition);
        if (place != places_.end()) turns[partition] = place->second.turn;
      }
    }
    auto taken = taker_->take(wanted, go_on);
    if (!taken) {
      set_problem(taken.error().to_string());
      for (const PartitionId partition : wanted) take_again(partition, kTakeAgain, {});
      continue;
    }
    set_problem({});
    for (PartitionTaker::Taken& one : *taken) {
      if (one.halted.empty()) {
        confirm(one, turns[one.partition]);
        continue;
      }
      kLog.error("a partition is halted", {{"problem", one.halted}});
      take_again(one.partition, kHaltedAgain, one.halted);
    }
  }
}

void KafkaGroup::confirm(const PartitionTaker::Taken& taken, std::uint64_t turn) {
  const PartitionId partition = taken.partition;
  std::shared_ptr<OwnedPartition> owned;
  {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(partition);
    // It was asked back meanwhile.
    if (stopping_ || place == places_.end() || place->second.turn != turn ||
        place->second.phase != Phase::kTaking) {
      return;
    }
    owned = std::make_shared<OwnedPartition>(
        OwnedPartition::Taken{.partition = partition,
                              .generation = place->second.generation,
                              .positions = taken.positions,
                              .at = taken.asked},
        env_.options.lease, lane(partition));
    place->second.phase = Phase::kConfirming;
    place->second.owned = owned;
    place->second.halted.clear();
  }
  lane(partition)->commit(
      owned, {}, 0, [this, owned](const Result<Written>& written) { confirmed(owned, written); });
}

void KafkaGroup::confirmed(const std::shared_ptr<OwnedPartition>& owned,
                           const Result<Written>& written) {
  if (written) return hand_over(owned);
  // The lane says so itself when it ended it.
  if (owned->end()) take_again(owned->partition(), kTakeAgain, {});
}

void KafkaGroup::hand_over(const std::shared_ptr<OwnedPartition>& owned) {
  const std::lock_guard one_at_a_time(listener_mutex_);
  const PartitionId partition = owned->partition();
  std::map<Topic, std::shared_ptr<RecordBuffer>> buffers;
  for (const Topic topic : read_topics()) {
    const TopicPartition where{topic, partition};
    buffers[topic] = std::make_shared<RecordBuffer>(
        owned->committed(topic), env_.options.reader_bytes,
        RecordBuffer::Source{
            .resume = [at = reader_.get(), where] { at->resume(where); },
            .seek = [at = reader_.get(), where](Offset to) { at->seek(where, to); }});
    owned->add_reader(topic, buffers[topic]);
  }
  for (const Topic topic : spec_.tables) {
    owned->add_table(topic, env_.copies->table({topic, partition}));
  }
  {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(partition);
    // It was asked back meanwhile.
    if (stopping_ || place == places_.end() || place->second.owned != owned ||
        place->second.phase != Phase::kConfirming) {
      return;
    }
    place->second.phase = Phase::kOwned;
    for (const auto& [topic, buffer] : buffers) {
      reader_->attach({topic, partition}, owned->committed(topic), buffer);
    }
  }
  lane(partition)->add(owned);
  listener_->assigned(owned);
}

// --- The end -----------------------------------------------------------------------------------------------------

void KafkaGroup::stop(std::chrono::milliseconds bound) {
  const Instant deadline = std::chrono::steady_clock::now() + bound;
  std::vector<PartitionId> all;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    stopping_ = true;
    for (const auto& [partition, place] : places_) all.push_back(partition);
    changed_.notify_all();
  }
  samples_.clear();
  if (thread_.joinable()) thread_.join();
  for (const PartitionId partition : all) let_go(partition);
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [this] {
      return std::ranges::all_of(places_, [](const auto& at) { return at.second.released; });
    });
  }
  // What was committed before it was released is part of it.
  const auto busy = [this](PartitionId partition) { return lane(partition)->busy(partition); };
  while (std::ranges::any_of(all, busy) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kLookAgain / 4);
  }
  {
    const std::lock_guard lock(mutex_);
    for (auto& [partition, place] : places_) {
      if (place.owned) place.owned->end();
    }
  }
  // A transaction that is under way ends; what waits is refused.
  for (const auto& lane : lanes_) lane->stop();
  if (member_ && env_.leave != nullptr && *env_.leave) {
    for (const PartitionId partition : all) wipe(partition);
    member_->leave(std::max(deadline, std::chrono::steady_clock::now() + kLeaveMin));
  }
  if (member_) member_->stop();
  if (reader_) reader_->stop();
}

}  // namespace godwit::log
