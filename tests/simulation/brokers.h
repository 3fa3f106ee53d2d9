#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/log/log.h"
#include "tests/simulation/world.h"

namespace godwit::simulation {

// What a broker answers a client that commits.
enum class Answer : std::uint8_t {
  kOk,
  kConcurrent,  // the transaction before is still being ended: again later
  kFenced,      // another producer has the name, or the transaction was ended for its age
  kRejoined,    // the group has another generation
  kNoMember,    // the group does not know that member
};

// Who commits positions, as the group knows him.
struct MemberId {
  std::string instance;  // the node
  std::uint64_t id = 0;  // another one each time it joins
  std::uint64_t generation = 0;
};

// A producer of transactions, and which of those that had its name.
struct ProducerId {
  std::string name;
  std::uint64_t epoch = 0;
};

// Topics, transactions and positions, as Kafka's brokers keep them: what they acknowledge is never lost, and is
// written at once on every replica.
//
// Transactions  a partition's records of a transaction are there when they were written and can be read when their
//               marker was. The decision is one, the markers come later, each partition's at its own time, that of
//               the positions too; each occupies an offset
// Read committed  readers see nothing behind the first record of an open transaction (the last stable offset), and
//               no record of an aborted one
// Tables        compact() keeps the last record of each key, and tombstones for a time
// Threads       one
class Brokers {
 public:
  Brokers(World& world, log::PartitionId partitions, Mutant mutant);

  [[nodiscard]] log::PartitionId partitions(log::Topic topic) const {
    return log::is_single_partition(topic) ? 1 : partitions_;
  }

  // The records of a partition that can be read, whatever became of them.
  [[nodiscard]] std::vector<log::Record> records(log::TopicPartition where) const;

  // Outside transactions.
  log::Offset append(log::TopicPartition where, std::string key, Rope value);

  // Ends what the name's producer of before left open. kConcurrent: not ended yet.
  [[nodiscard]] Answer begin(const std::string& name, std::uint64_t& epoch, Duration timeout);
  // May it write now? kConcurrent: markers of its transaction before are still to come.
  [[nodiscard]] Answer may_write(const ProducerId& producer);
  [[nodiscard]] log::Offset write(const ProducerId& producer, log::TopicPartition where,
                                  std::string key, std::optional<Rope> value);
  // `known`: what the group says of the member.
  [[nodiscard]] Answer positions(const ProducerId& producer, const std::string& group, Answer known,
                                 const std::vector<log::PositionChange>& positions);
  // Asked again it says the same. Each transaction has an epoch of its own (KIP-890): what comes late is refused.
  struct Ended {
    Answer answer{};
    std::uint64_t epoch = 0;  // of the next transaction
  };
  [[nodiscard]] Ended end(const ProducerId& producer, bool commit);

  [[nodiscard]] log::Offset high_watermark(log::TopicPartition where) const;
  [[nodiscard]] log::Offset last_stable(log::TopicPartition where) const;

  struct Fetched {
    struct One {
      log::Record record;
      bool tombstone = false;
    };
    std::vector<One> records;
    log::Offset next = 0;  // markers and aborted records are behind it
    bool at_end = false;   // of what a read-committed reader can see now
  };
  [[nodiscard]] Fetched fetch(log::TopicPartition where, log::Offset from, std::size_t records_max,
                              std::size_t bytes_max) const;
  // Called once, later, when something can be read at `from` or above.
  void when_readable(log::TopicPartition where, log::Offset from, log::Wake wake);

  struct Position {
    std::optional<log::Offset> next;
    bool stable = true;  // no transaction that is not ended has another one
  };
  [[nodiscard]] Position position(const std::string& group, log::TopicPartition where) const;

  // Called once, when the next transaction that changes a table is to be committed of a producer whose name has that
  // part: from then on there is no way back, and nobody has been told.
  void when_decided(std::string part, std::function<void()> what) {
    watches_.push_back({std::move(part), std::move(what)});
  }

  void compact();
  // Nothing is open any more.
  [[nodiscard]] bool quiet() const;

 private:
  enum class State : std::uint8_t { kOpen, kCommitted, kAborted };
  struct Transaction {
    std::string name;
    std::uint64_t epoch = 0;
    std::uint64_t ended_epoch = 0;  // of the last transaction that its producer ended
    std::uint64_t serial = 0;
    Duration timeout{};
    bool ongoing = false;
    bool ending = false;  // decided, markers are being written
    std::size_t markers = 0;
    State result = State::kAborted;  // of the last that was ended
    std::set<log::TopicPartition> partitions;
    std::map<std::pair<std::string, log::TopicPartition>, log::Offset> positions;
  };
  struct Entry {
    log::Record record;
    bool tombstone = false;
    bool marker = false;
    bool gone = false;              // compacted away
    std::uint64_t transaction = 0;  // 0: none
    State state = State::kCommitted;
  };
  struct Waiting {
    log::Offset from;
    log::Wake wake;
  };
  struct Partition {
    std::vector<Entry> entries;                 // by offset
    std::map<std::uint64_t, log::Offset> open;  // by transaction: its first record
    std::vector<Waiting> waiting;
  };

  [[nodiscard]] Transaction* of(const ProducerId& producer);
  void start(Transaction& transaction);
  void decide(Transaction& transaction, bool commit);
  void mark(log::TopicPartition where, std::uint64_t serial, State state);
  void marked(const std::string& name, std::uint64_t serial);
  void wake(log::TopicPartition where);
  [[nodiscard]] Duration marker_delay(bool slow);
  [[nodiscard]] const Partition* find(log::TopicPartition where) const;

  struct Watch {
    std::string part;
    std::function<void()> what;
  };

  World& world_;
  const log::PartitionId partitions_;
  const Mutant mutant_;
  const bool slow_tables_;  // the broker that has them hears late of decisions
  const bool slow_;         // brokers hear of decisions up to 12 s late, and mostly late
  std::vector<Watch> watches_;
  std::map<log::TopicPartition, Partition> logs_;
  std::map<std::string, Transaction> transactions_;
  std::uint64_t serials_ = 0;
  std::map<std::pair<std::string, log::TopicPartition>, log::Offset> positions_;
  // Of transactions that were decided: what is written when the marker is.
  struct Pending {
    std::uint64_t serial = 0;
    log::Offset next = 0;
  };
  std::map<std::pair<std::string, log::TopicPartition>, std::vector<Pending>> pending_;
};

}  // namespace godwit::simulation
