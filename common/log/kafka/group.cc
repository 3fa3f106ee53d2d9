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
constexpr std::chrono::milliseconds kLookAgain = 20ms;
constexpr std::chrono::milliseconds kTakeAgain = 500ms;
constexpr std::size_t kChangesMax = 1000;
constexpr std::size_t kChangesBytesMax = 4u << 20;

// Writes a table partition into its copy, until the rebuild ends.
class Replay final : public RecordSink {
 public:
  Replay(TopicPartition where, Rebuild rebuild, std::shared_ptr<TableCopies> copies)
      : where_(where), rebuild_(rebuild), copies_(std::move(copies)) {}

  bool on_record(Record record, bool tombstone) override {
    next_ = record.offset + 1;
    bytes_ += record.key.size() + record.value.size();
    TableChange& change = changes_.emplace_back();
    change.where = where_;
    change.key = std::move(record.key);
    if (!tombstone) change.value = std::move(record.value);
    if (changes_.size() >= kChangesMax || bytes_ >= kChangesBytesMax) on_pause();
    return true;
  }
  void on_pause() override {
    if (changes_.empty()) return;
    write(next_);
  }
  void on_end(Offset next) override {
    next_ = std::max(next_, next);
    write(next_);
    if (rebuild_.ends_at(next_)) done_ = true;
  }
  void on_failure(Error error) override { fail_with(std::move(error)); }

  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Error> failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  void write(Offset next) {
    const PositionChange reached{where_, next};
    if (auto applied = copies_->apply(changes_, std::span(&reached, 1)); !applied) {
      fail_with(std::move(applied).error());
    }
    changes_.clear();
    bytes_ = 0;
  }
  void fail_with(Error error) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
  }

  const TopicPartition where_;
  const Rebuild rebuild_;
  const std::shared_ptr<TableCopies> copies_;
  std::vector<TableChange> changes_;
  std::size_t bytes_ = 0;
  Offset next_ = 0;
  std::atomic<bool> done_{false};
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
};

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
  TRY(group->follower_,
      KafkaConsumer::start(env.options, env.names, group->spec_.name + "-follow"));
  KafkaGroup* const at = group.get();
  KafkaConsumer::Membership membership{
      .group = group->spec_.name,
      .subscribed = group->spec_.subscribed,
      .assigned = [at](const auto& partitions) { at->on_assigned(partitions); },
      .revoked = [at](const auto& partitions, bool lost) { at->on_revoked(partitions, lost); },
      .failed = [at](std::string problem) { at->on_failed(std::move(problem)); },
      .tick = [at] { at->tick(); }};
  // Lanes first: their producers begin while the group is being joined.
  for (std::uint32_t number = 0; number < env.options.transaction_lanes; ++number) {
    group->lanes_.push_back(std::make_shared<TransactionLane>(TransactionLane::Environment{
        .options = env.options,
        .names = env.names,
        .id = fmt::format("{}{}.{}.{}", env.names.prefix(), group->spec_.name, env.options.node,
                          number),
        .timeout = group->spec_.tables.empty() ? kRouting : kSending,
        .copies = env.copies,
        .shared = env.shared,
        .tables = group->spec_.tables,
        .metadata = [at] { return rd_kafka_consumer_group_metadata(at->member_->handle()); },
        .ended = [at](const auto& partition) { at->on_ended(partition); }}));
  }
  TRY(group->member_, KafkaConsumer::join(env.options, env.names, std::move(membership)));
  group->taker_ = std::thread([at] { at->take_work(); });
  return group;
}

KafkaGroup::~KafkaGroup() {
  stop(0ms);
}

std::string KafkaGroup::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
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
    places_[partition] = {.turn = ++turns_};
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
  tick();
}

void KafkaGroup::on_failed(std::string problem) {
  set_problem("this node was put out of the group; another may have its name: " + problem);
  std::vector<PartitionId> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [partition, place] : places_) all.push_back(partition);
  }
  for (const PartitionId partition : all) lose(partition);
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
  {
    const std::lock_guard lock(mutex_);
    to_take_.erase(partition);
    const auto place = places_.find(partition);
    if (place == places_.end()) return;
    owned = place->second.owned;
    place->second.phase = Phase::kReleasing;
    place->second.released = true;
  }
  if (owned && owned->end()) listener_->lost(partition);
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
  for (const Topic topic : spec_.followed) follower_->detach({topic, partition});
}

void KafkaGroup::tick() {
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
      for (const Topic topic : spec_.tables) {
        if (auto wiped = env_.copies->wipe({topic, partition}); !wiped) {
          kLog.warning("a copy", {{"problem", wiped.error()}});
        }
      }
    }
    member_->release(at->partitions);
    at = revocations_.erase(at);
  }
}

// --- What a lane says --------------------------------------------------------------------------------------------

void KafkaGroup::on_ended(const std::shared_ptr<OwnedPartition>& partition) {
  const std::lock_guard one_at_a_time(listener_mutex_);
  {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(partition->partition());
    if (place == places_.end() || place->second.owned != partition) return;
    if (place->second.phase != Phase::kOwned) {
      place->second.released = true;
      return;
    }
    place->second.phase = Phase::kTaking;
    place->second.turn = ++turns_;
    place->second.owned = nullptr;
  }
  listener_->lost(partition->partition());
  member_->detach({spec_.subscribed, partition->partition()});
  for (const Topic topic : spec_.followed) follower_->detach({topic, partition->partition()});
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  to_take_.insert(partition->partition());
  changed_.notify_all();
}

// --- Taking ------------------------------------------------------------------------------------------------------

void KafkaGroup::take_work() {
  while (true) {
    std::vector<Wanted> wanted;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !to_take_.empty(); });
      if (stopping_) return;
      for (const PartitionId partition : to_take_) {
        if (lane(partition)->ready()) wanted.push_back({partition, places_.at(partition).turn, {}});
      }
      if (wanted.empty()) {
        changed_.wait_for(lock, kLookAgain, [this] { return stopping_; });
        continue;
      }
      for (const Wanted& one : wanted) to_take_.erase(one.partition);
    }
    auto looked_up = look_up(wanted);
    Result<void> rebuilt = looked_up ? rebuild(*looked_up) : fail(looked_up.error());
    if (rebuilt) {
      set_problem({});
      for (const Wanted& one : *looked_up) hand_over(one);
      continue;
    }
    set_problem(rebuilt.error().to_string());
    std::unique_lock lock(mutex_);
    for (const Wanted& one : wanted) {
      const auto place = places_.find(one.partition);
      if (place != places_.end() && place->second.turn == one.turn &&
          place->second.phase == Phase::kTaking) {
        to_take_.insert(one.partition);
      }
    }
    changed_.wait_for(lock, kTakeAgain, [this] { return stopping_; });
  }
}

Result<std::vector<KafkaGroup::Wanted>> KafkaGroup::look_up(std::vector<Wanted> wanted) {
  std::vector<KafkaAdmin::At> places;
  for (const Wanted& one : wanted) {
    for (const Topic topic : read_topics()) places.push_back({env_.names.of(topic), one.partition});
  }
  TRY(const auto committed, env_.admin->committed(env_.names.prefix() + spec_.name, places));
  TRY(const auto starts, env_.admin->offsets(std::move(places), KafkaAdmin::Edge::kStart));
  std::size_t i = 0;
  for (Wanted& one : wanted) {
    for (const Topic topic : read_topics()) {
      auto first = first_offset(committed[i].offset, starts[i].offset);
      ++i;
      if (!first) {
        return fail(std::move(first).error().within(
            fmt::format("{} {}", env_.names.of(topic), one.partition)));
      }
      one.positions[topic] = *first;
    }
  }
  return wanted;
}

Result<void> KafkaGroup::rebuild(const std::vector<Wanted>& wanted) {
  std::vector<KafkaAdmin::At> ends;
  std::vector<TopicPartition> partitions;
  for (const Wanted& one : wanted) {
    for (const Topic topic : spec_.tables) {
      ends.push_back({env_.names.of(topic), one.partition});
      partitions.push_back({topic, one.partition});
    }
  }
  TRY(ends, env_.admin->offsets(std::move(ends), KafkaAdmin::Edge::kEndWritten));
  TRY(const auto begin, env_.copies->begin(partitions));
  std::vector<std::shared_ptr<Replay>> replays;
  std::vector<TopicPartition> attached;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const Rebuild rebuild{ends[i].offset};
    if (rebuild.ends_at(begin[i].value_or(0))) continue;
    auto& replay =
        replays.emplace_back(std::make_shared<Replay>(partitions[i], rebuild, env_.copies));
    attached.push_back(partitions[i]);
    follower_->attach(partitions[i], begin[i].value_or(RD_KAFKA_OFFSET_BEGINNING), replay);
  }
  Result<void> result;
  while (!std::ranges::all_of(replays, &Replay::done)) {
    for (const auto& replay : replays) {
      if (auto failure = replay->failure()) result = fail(*std::move(failure));
    }
    if (!result) break;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kLookAgain, [this] { return stopping_; })) {
      result = fail(Errc::kClosed);
      break;
    }
  }
  for (const TopicPartition where : attached) follower_->detach(where);
  return result;
}

void KafkaGroup::hand_over(const Wanted& wanted) {
  const std::lock_guard one_at_a_time(listener_mutex_);
  const PartitionId partition = wanted.partition;
  auto owned = std::make_shared<OwnedPartition>(partition, spec_.subscribed, lane(partition),
                                                wanted.positions);
  std::map<Topic, std::shared_ptr<RecordBuffer>> buffers;
  for (const Topic topic : read_topics()) {
    KafkaConsumer& consumer = topic == spec_.subscribed ? *member_ : *follower_;
    const TopicPartition where{topic, partition};
    buffers[topic] = std::make_shared<RecordBuffer>(
        wanted.positions.at(topic), env_.options.reader_bytes,
        RecordBuffer::Source{.resume = [&consumer, where] { consumer.resume(where); },
                             .seek = [&consumer, where](Offset to) { consumer.seek(where, to); }});
    owned->add_reader(topic, buffers[topic]);
  }
  for (const Topic topic : spec_.tables) {
    owned->add_table(topic, env_.copies->table({topic, partition}));
  }
  {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(partition);
    // It was asked back meanwhile.
    if (stopping_ || place == places_.end() || place->second.turn != wanted.turn ||
        place->second.phase != Phase::kTaking) {
      return;
    }
    place->second.phase = Phase::kOwned;
    place->second.owned = owned;
    for (const auto& [topic, buffer] : buffers) {
      KafkaConsumer& consumer = topic == spec_.subscribed ? *member_ : *follower_;
      consumer.attach({topic, partition}, wanted.positions.at(topic), buffer);
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
  if (taker_.joinable()) taker_.join();
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
  if (member_) member_->stop();
  if (follower_) follower_->stop();
}

}  // namespace godwit::log
