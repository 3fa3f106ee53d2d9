#include "tests/simulation/brokers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/ownership_rules.h"

namespace godwit::simulation {

using namespace std::chrono_literals;
using log::Offset;
using log::TopicPartition;

Brokers::Brokers(World& world, log::PartitionId partitions, Mutant mutant)
    : world_(world),
      partitions_(partitions),
      mutant_(mutant),
      slow_tables_(world.chance(40)),
      slow_(world.chance(20)) {}

const Brokers::Partition* Brokers::find(TopicPartition where) const {
  const auto found = logs_.find(where);
  return found == logs_.end() ? nullptr : &found->second;
}

Offset Brokers::append(TopicPartition where, std::string key, Rope value) {
  Partition& partition = logs_[where];
  const auto offset = static_cast<Offset>(partition.entries.size());
  Entry& entry = partition.entries.emplace_back();
  entry.record = {offset, world_.clock().now(), std::move(key), std::move(value)};
  wake(where);
  return offset;
}

// --- transactions --------------------------------------------------------------------------------

Brokers::Transaction* Brokers::of(const ProducerId& producer) {
  const auto found = transactions_.find(producer.name);
  if (found == transactions_.end() || found->second.epoch != producer.epoch) return nullptr;
  return &found->second;
}

Answer Brokers::begin(const std::string& name, std::uint64_t& epoch, Duration timeout) {
  Transaction& transaction = transactions_[name];
  transaction.name = name;
  if (transaction.ongoing) decide(transaction, false);
  if (transaction.ending) {
    ++transaction.epoch;  // whoever had it is fenced from here on
    return Answer::kConcurrent;
  }
  transaction.timeout = timeout;
  epoch = ++transaction.epoch;
  return Answer::kOk;
}

void Brokers::start(Transaction& transaction) {
  transaction.ongoing = true;
  transaction.serial = ++serials_;
  world_.after(transaction.timeout, [this, name = transaction.name, serial = serials_] {
    Transaction& aged = transactions_[name];
    if (!aged.ongoing || aged.serial != serial) return;
    world_.say("brokers", fmt::format("end a transaction of {} for its age", name));
    ++aged.epoch;
    decide(aged, false);
  });
}

Answer Brokers::may_write(const ProducerId& producer) {
  const Transaction* const transaction = of(producer);
  if (transaction == nullptr) return Answer::kFenced;
  return transaction->ending ? Answer::kConcurrent : Answer::kOk;
}

Offset Brokers::write(const ProducerId& producer, TopicPartition where, std::string key,
                      std::optional<Rope> value) {
  Transaction* const transaction = of(producer);
  CHECK(may_write(producer) == Answer::kOk, "nobody asked whether {} may write", producer.name);
  if (!transaction->ongoing) start(*transaction);
  transaction->partitions.insert(where);
  Partition& partition = logs_[where];
  const auto offset = static_cast<Offset>(partition.entries.size());
  partition.open.try_emplace(transaction->serial, offset);
  Entry& entry = partition.entries.emplace_back();
  entry.record = {offset, world_.clock().now(), std::move(key), value ? *std::move(value) : Rope()};
  entry.tombstone = !value;
  entry.transaction = transaction->serial;
  entry.state = State::kOpen;
  return offset;
}

Answer Brokers::positions(const ProducerId& producer, const std::string& group, Answer known,
                          const std::vector<log::PositionChange>& positions) {
  Transaction* const transaction = of(producer);
  if (transaction == nullptr) return Answer::kFenced;
  if (transaction->ending) return Answer::kConcurrent;
  if (known != Answer::kOk && mutant_ != Mutant::kNoFence) return known;
  if (!transaction->ongoing) start(*transaction);
  for (const log::PositionChange& change : positions) {
    const std::pair key(group, change.where);
    transaction->positions[key] = change.next;
    auto& pending = pending_[key];
    const auto same = std::ranges::find(pending, transaction->serial, &Pending::serial);
    if (same != pending.end()) {
      same->next = change.next;
    } else {
      pending.push_back({transaction->serial, change.next});
    }
  }
  return Answer::kOk;
}

Brokers::Ended Brokers::end(const ProducerId& producer, bool commit) {
  const auto found = transactions_.find(producer.name);
  if (found == transactions_.end()) return {Answer::kFenced};
  Transaction& transaction = found->second;
  if (producer.epoch == transaction.epoch) {
    if (transaction.ongoing) {
      decide(transaction, commit);
      transaction.ended_epoch = transaction.epoch++;
    }
    return {Answer::kOk, transaction.epoch};
  }
  const bool repeated = producer.epoch == transaction.ended_epoch &&
                        transaction.epoch == producer.epoch + 1 &&
                        (transaction.result == State::kCommitted) == commit;
  return {repeated ? Answer::kOk : Answer::kFenced, transaction.epoch};
}

Duration Brokers::marker_delay(bool slow) {
  // Mostly at once; now and then a broker is slow to hear of it.
  if (slow && world_.chance(60)) return world_.between(500ms, slow_ ? 12s : 4s);
  if (world_.chance(slow_ ? 30 : 80)) return world_.between(0ms, 5ms);
  return world_.chance(60) ? world_.between(5ms, 500ms) : world_.between(500ms, slow_ ? 12s : 4s);
}

// From here on there is no way back; who reads hears of it partition by partition.
void Brokers::decide(Transaction& transaction, bool commit) {
  const State state = commit ? State::kCommitted : State::kAborted;
  transaction.ongoing = false;
  transaction.result = state;
  transaction.ending = true;
  const auto changes_table = [](const TopicPartition& where) { return log::is_table(where.topic); };
  if (commit && std::ranges::any_of(transaction.partitions, changes_table)) {
    std::erase_if(watches_, [&](const Watch& watch) {
      if (transaction.name.find(watch.part) == std::string::npos) return false;
      world_.after(0ms, watch.what);
      return true;
    });
  }
  const std::uint64_t serial = transaction.serial;
  transaction.markers = transaction.partitions.size() + 1;
  for (const TopicPartition where : std::exchange(transaction.partitions, {})) {
    const bool slow = slow_tables_ && log::is_table(where.topic);
    world_.after(marker_delay(slow), [this, where, serial, state, name = transaction.name] {
      mark(where, serial, state);
      marked(name, serial);
    });
  }
  world_.after(marker_delay(false), [this, serial, commit, name = transaction.name,
                                     positions = std::exchange(transaction.positions, {})] {
    for (const auto& [key, next] : positions) {
      std::erase_if(pending_[key], [&](const Pending& one) { return one.serial == serial; });
      if (commit) positions_[key] = next;
    }
    marked(name, serial);
  });
}

void Brokers::mark(TopicPartition where, std::uint64_t serial, State state) {
  Partition& partition = logs_[where];
  const auto first = partition.open.find(serial);
  CHECK(first != partition.open.end(), "a marker for what was never begun");
  for (auto i = static_cast<std::size_t>(first->second); i < partition.entries.size(); ++i) {
    if (partition.entries[i].transaction == serial) partition.entries[i].state = state;
  }
  partition.open.erase(first);
  Entry& marker = partition.entries.emplace_back();
  marker.marker = true;
  wake(where);
}

void Brokers::marked(const std::string& name, std::uint64_t serial) {
  Transaction& transaction = transactions_[name];
  CHECK(transaction.ending && transaction.serial == serial, "a marker of another transaction");
  if (--transaction.markers == 0) transaction.ending = false;
}

// --- reading -------------------------------------------------------------------------------------

Offset Brokers::high_watermark(TopicPartition where) const {
  const Partition* const partition = find(where);
  return partition == nullptr ? 0 : static_cast<Offset>(partition->entries.size());
}

Offset Brokers::last_stable(TopicPartition where) const {
  Offset stable = high_watermark(where);
  if (const Partition* const partition = find(where)) {
    for (const auto& [serial, first] : partition->open) stable = std::min(stable, first);
  }
  return stable;
}

Brokers::Fetched Brokers::fetch(TopicPartition where, Offset from, std::size_t records_max,
                                std::size_t bytes_max) const {
  Fetched fetched{.next = from};
  const Offset stable = last_stable(where);
  const Partition* const partition = find(where);
  std::size_t bytes = 0;
  while (fetched.next < stable && fetched.records.size() < records_max) {
    const Entry& entry = partition->entries[static_cast<std::size_t>(fetched.next)];
    if (!entry.marker && !entry.gone && entry.state == State::kCommitted) {
      bytes += entry.record.key.size() + entry.record.value.size();
      if (!fetched.records.empty() && bytes > bytes_max) return fetched;
      fetched.records.push_back({entry.record, entry.tombstone});
    }
    ++fetched.next;
  }
  fetched.at_end = fetched.next >= stable;
  return fetched;
}

std::vector<log::Record> Brokers::records(TopicPartition where) const {
  std::vector<log::Record> records;
  for (Fetched::One& one : fetch(where, 0, ~std::size_t{0}, ~std::size_t{0}).records) {
    records.push_back(std::move(one.record));
  }
  return records;
}

void Brokers::when_readable(TopicPartition where, Offset from, log::Wake wake_up) {
  logs_[where].waiting.push_back({from, std::move(wake_up)});
  wake(where);
}

void Brokers::wake(TopicPartition where) {
  Partition& partition = logs_[where];
  if (partition.waiting.empty()) return;
  std::erase_if(partition.waiting, [&](Waiting& waiting) {
    if (fetch(where, waiting.from, 1, 1).records.empty()) return false;
    world_.after(world_.between(0ms, 20ms), [wake = std::move(waiting.wake)]() mutable { wake(); });
    return true;
  });
}

Brokers::Position Brokers::position(const std::string& group, TopicPartition where) const {
  Position position;
  const std::pair key(group, where);
  if (const auto found = positions_.find(key); found != positions_.end()) {
    position.next = found->second;
  }
  const auto pending = pending_.find(key);
  position.stable = pending == pending_.end() || pending->second.empty();
  return position;
}

// --- time goes by --------------------------------------------------------------------------------

void Brokers::compact() {
  for (auto& [where, partition] : logs_) {
    if (!log::is_table(where.topic)) continue;
    const Offset stable = last_stable(where);
    std::map<std::string, std::size_t> last;
    for (std::size_t i = 0; i < static_cast<std::size_t>(stable); ++i) {
      Entry& entry = partition.entries[i];
      if (entry.marker || entry.gone || entry.state != State::kCommitted) continue;
      const auto [known, first] = last.try_emplace(entry.record.key, i);
      if (first) continue;
      partition.entries[known->second].gone = true;
      partition.entries[known->second].record.value = Rope();
      known->second = i;
    }
    for (const auto& [key, at] : last) {
      Entry& entry = partition.entries[at];
      if (entry.tombstone && world_.clock().now() - entry.record.time > log::kTombstonesKept) {
        entry.gone = true;
      }
    }
  }
}

bool Brokers::quiet() const {
  return std::ranges::none_of(
      transactions_, [](const auto& named) { return named.second.ongoing || named.second.ending; });
}

}  // namespace godwit::simulation
