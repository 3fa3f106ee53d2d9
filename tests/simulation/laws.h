#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/accounting/held_list.h"
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
//   a recipient that is held for an operator is not attempted before he says so
//   a host takes the content that was handed in, and no other
//   a recipient whose outcome nobody knows, because its owner gave up waiting for the final dot's answer, is not attempted
//   again at once, by him or by whom he gave the partition to
// At the end (judge)
//   every recipient that was accepted has exactly one terminal event, as the audit counts
//   `delivered` is said only of mail that a host took, or an operator says so
//   in `dead` is each record that nobody can read, once; of others only those that killed a process
//   a host has a second copy only where the first one's 250 was not heard, or its process died, stood still or had no way
//   to the brokers, or its ownership was lost, before the commit was acknowledged: a partition that is given back in
//   order takes along what its owner heard
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
    std::shared_ptr<const std::string> content;
  };
  void accepted(const std::string& address, const Promise& promise) {
    promises_[address] = promise;
  }

  // It had no way to the brokers for a while, or a bad one.
  void cut_off(std::uint64_t life) { lives_[life].cut_off = true; }

  // Somebody wrote a record there that nobody can read.
  void garbage(const log::RecordPosition& at) { garbage_.insert(at); }
  // Processes die with mail to them in hand: it may be held in `dead`.
  void poisoned(const std::string& address) { poisoned_.insert(address); }
  // An operator decides about a recipient that is held since that attempt.
  void decided(const std::string& address, std::uint32_t attempt,
               accounting::HeldDecision decision);

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
  std::size_t taken(std::uint64_t life, const std::string& address, std::string_view content);
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
    std::optional<log::PartitionId> partition;
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
  [[nodiscard]] bool may_be_held(const std::string& address) const {
    return poisoned_.contains(address);
  }
  void judge_audit(log::Log& log, std::size_t not_ended);
  void judge_dead(log::Log& log);
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
    std::optional<log::PartitionId> partition;
  };
  std::map<std::string, Unknown> unknown_;  // by address: the last one
  std::size_t attempts_ = 0;
  struct Place {
    log::PartitionId partition = 0;
    Timestamp since;
  };
  std::map<std::string, Place> places_;           // by address: its newest delivery's
  std::map<std::string, std::uint32_t> held_;     // by address: since that attempt, acknowledged
  std::map<std::string, std::uint32_t> retried_;  // by address: of those the last he let go on
  std::set<std::string> said_;                    // by an operator: they have it
  std::set<std::string> poisoned_;
  std::set<log::RecordPosition> garbage_;
  std::map<log::TopicPartition, log::Offset> looked_at_;
  std::string broken_;
};

}  // namespace godwit::simulation
