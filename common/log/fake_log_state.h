#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/log/log.h"

// What a FakeLog keeps, and what its parts share. Only sources of fake_log*.cc include this.
namespace godwit::log::fake {

class FakeOwnership;

// Callbacks that are due, collected under the lock and called without it.
using Calls = std::vector<std::move_only_function<void()>>;
void run(Calls calls);

// Where a reader stands, and whom it wakes.
struct Waiter {
  Offset next = 0;
  Wake wake;
};

// One partition of a topic.
struct Partition {
  struct Stored {
    Record record;
    bool visible = false;
    bool synced = false;
    bool corrupt = false;
  };

  Offset start = 0;
  std::vector<Stored> records;
  std::size_t settled = 0;  // so many of them, from the first on, are visible and synced
  std::vector<std::weak_ptr<Waiter>> waiters;

  [[nodiscard]] Offset next() const { return start + static_cast<Offset>(records.size()); }
  [[nodiscard]] const Stored* at(Offset offset) const;
  [[nodiscard]] bool readable(Offset offset) const;
  // Everything that is there becomes visible and synced.
  void settle();
  // The waiters that have something to read now.
  void wake(Calls& calls);
};

// A table, or a partition of one that partitions own.
struct Rows {
  std::map<std::string, std::string> values;
  std::set<std::string> index;

  void change(const TableChange& change, const Indexer& indexer);
  void index_anew(const Indexer& indexer);
};
// Rows of a table that no partition owns are kept under partition 0.
[[nodiscard]] TopicPartition rows_key(TopicPartition where);

// What was asked to be written and is not synced yet.
struct Write {
  Batch batch;
  std::string group;  // empty: of a producer or a shared table
  std::vector<Offset> offsets;
  std::error_code answer;  // set: what it is answered with
  bool applied = true;     // false: nothing of it is there
  std::weak_ptr<FakeOwnership> owner;
  WriteDone done;
};

struct GroupState {
  GroupSpec spec;
  std::shared_ptr<GroupListener> listener;
  std::map<PartitionId, std::shared_ptr<FakeOwnership>> owned;
};

// Threads   any, under `mutex`; submit() takes it itself
struct State {
  State(const Clock& clock_in, PartitionId partition_count_in, bool by_position)
      : clock(clock_in), partition_count(partition_count_in), reads_by_position(by_position) {}

  const Clock& clock;
  const PartitionId partition_count;
  const bool reads_by_position;

  mutable std::mutex mutex;
  std::map<TopicPartition, Partition> partitions;
  std::map<TopicPartition, Rows> tables;
  std::map<std::pair<std::string, TopicPartition>, Offset> positions;
  std::map<std::string, std::shared_ptr<GroupState>> groups;
  std::map<Topic, Indexer> indexers;
  struct Watch {
    Topic topic;
    SharedTable::Changed changed;
  };
  std::vector<std::weak_ptr<Watch>> watches;
  std::deque<Write> waiting;
  std::uint64_t life = 1;  // grows at each crash()
  bool closed = false;

  // What a test has asked for.
  struct Scripted {
    std::error_code code;
    bool written = false;
  };
  std::deque<Scripted> scripted;
  std::set<Topic> interleaved;
  bool held = false;
  std::string problem;
  std::uint64_t bytes_free = 1ull << 40;
  std::size_t batch_bytes_max = 32u << 20;
  std::optional<std::chrono::milliseconds> lease;
  std::uint64_t generation = 0;

  // Writes, or answers why not.
  void submit(Write write);
  // Everything that waits is synced.
  void complete_all(Calls& calls);

 private:
  void take(Write write, Calls& calls);
  void append(Write& write, Calls& calls);
  void complete(Write write, Calls& calls);
  void apply(const Batch& batch, const std::string& group, Calls& calls);
  void tell_watches(const Batch& batch, Calls& calls);
};

}  // namespace godwit::log::fake
