#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/log/log.h"
#include "tests/simulation/world.h"

namespace godwit::simulation {

class Brokers;

// Sees what happens in the world and what the customers were promised, and says what must not be.
//
// While it happens
//   a recipient whose end is committed and acknowledged is not attempted any more
//   a recipient is not attempted by one process while another owns its partition
//   a recipient is not attempted beyond its age
//   a recipient whose outcome nobody knows, because its owner gave up waiting for the final dot's answer, is not attempted
//   again at once, by him or by whom he gave the partition to
// At the end (judge)
//   every recipient that was accepted has exactly one terminal event, as the audit counts
//   `delivered` is said only of mail that a host took
//   a host has a second copy only where the first one's 250 was not heard, or its process died or stood still, or its
//   ownership ended, before the commit was acknowledged
class Laws {
 public:
  // An attempt may begin this long after its recipient's age: it waited for its connection.
  static constexpr Duration kAgeSlack = std::chrono::minutes(3);
  // What senders are configured with.
  static constexpr std::chrono::milliseconds kAfterUnknown = std::chrono::seconds(30);

  explicit Laws(World& world) : world_(world) {}

  // What customers were told.
  struct Promise {
    RecipientId recipient;
    Timestamp expires;
  };
  void accepted(const std::string& address, const Promise& promise) {
    promises_[address] = promise;
  }

  // It had no way to the brokers for a while.
  void cut_off(std::uint64_t life) { lives_[life].cut_off = true; }

  // What processes do.
  void began(std::uint64_t life, std::string name) { lives_[life].name = std::move(name); }
  void died(std::uint64_t life) { lives_[life].died = true; }
  // It stands still, or stood still until now: what it was told meanwhile it may have missed.
  void stood_still(std::uint64_t life) { lives_[life].stood_still = world_.now(); }
  void owned(std::uint64_t life, const std::string& group, log::PartitionId partition);
  // `lost`: it was not asked first.
  void ended(std::uint64_t life, const std::string& group, log::PartitionId partition, bool lost);
  // The log has acknowledged it to the process.
  void committed(std::uint64_t life, const log::Batch& batch);

  // What mail hosts see. `heard`: the process could read the 250.
  void attempted(std::uint64_t life, const std::string& address);
  std::size_t taken(std::uint64_t life, const std::string& address);
  void heard(std::size_t copy) { copies_[copy].heard = true; }
  // The process closed the connection while the answer to the final dot was open.
  void given_up(std::uint64_t life, const std::string& address);

  // Where deliveries are found.
  void watch(const Brokers& brokers) { brokers_ = &brokers; }
  // Every promise has an ending that was acknowledged, and whatever else the log has accepted is not under way.
  [[nodiscard]] bool all_ended(log::Log& log) const;
  // When the last promise runs out.
  [[nodiscard]] Timestamp last_expiry() const;

  // At the end of the world.
  void judge(log::Log& log);
  // The first law that was broken; empty: none.
  [[nodiscard]] const std::string& broken() const { return broken_; }

  struct Counts {
    std::size_t promised = 0;
    std::size_t copies = 0;
    std::size_t second_copies = 0;
    std::size_t attempts = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct Life {
    std::string name;
    bool died = false;
    bool cut_off = false;
    std::optional<Instant> stood_still;         // last
    std::map<log::PartitionId, Instant> ended;  // when the last ownership of it did
    std::map<log::PartitionId, Instant> lost;
  };
  struct Copy {
    std::string address;
    std::uint64_t life = 0;
    Instant at;
    bool heard = false;
  };
  struct Ending {
    std::string type;
    std::string node;
    std::uint32_t attempt = 0;
    std::int64_t time = 0;
    auto operator<=>(const Ending&) const = default;
  };
  void breaks(std::string what);
  [[nodiscard]] std::optional<log::PartitionId> partition_of(const std::string& address);
  void judge_audit(log::Log& log);
  void judge_copies(const std::map<RecipientId, std::set<Ending>>& endings);

  World& world_;
  const Brokers* brokers_ = nullptr;
  std::map<std::string, Promise> promises_;  // by address
  std::map<std::uint64_t, Life> lives_;
  struct Holder {
    std::uint64_t life = 0;
    Instant since;
  };
  std::map<log::PartitionId, Holder> holders_;  // of `outbound`
  std::set<RecipientId> ended_;                 // acknowledged
  std::vector<Copy> copies_;
  struct Unknown {
    std::uint64_t life = 0;
    Instant at;
  };
  std::map<std::string, Unknown> unknown_;  // by address: the last one
  std::size_t attempts_ = 0;
  std::map<std::string, log::PartitionId> partitions_;  // by address
  std::map<log::TopicPartition, log::Offset> looked_at_;
  std::string broken_;
};

}  // namespace godwit::simulation
