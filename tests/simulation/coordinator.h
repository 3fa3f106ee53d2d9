#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "tests/simulation/brokers.h"

namespace godwit::simulation {

// Who owns which partitions of a group, as Kafka's coordinator and its cooperative, static members arrange it.
//
// Members      have a name that outlives their process; who comes again under it within the session keeps its
//              partitions, and the process of before is fenced
// Generation   grows when a partition changes hands
// Moving       a partition is asked back from its owner, and given on when he has released it or his session is over
class Coordinator {
 public:
  static constexpr Duration kSession = std::chrono::seconds(30);

  Coordinator(World& world, std::string group, log::PartitionId partitions);

  // The member's number. `news`: called when it has other orders than last time, so that it asks.
  [[nodiscard]] std::uint64_t join(const std::string& instance, std::function<void()> news);

  struct Orders {
    bool fenced = false;  // not a member any more
    std::uint64_t generation = 0;
    std::set<log::PartitionId> owned;  // asked back ones too
    std::set<log::PartitionId> asked_back;
  };
  // What the member is told when it says that it lives.
  [[nodiscard]] Orders beat(const std::string& instance, std::uint64_t member);
  void release(const std::string& instance, std::uint64_t member, log::PartitionId partition);
  void leave(const std::string& instance, std::uint64_t member);

  // An operator says that the node is gone.
  void evict(const std::string& instance);

  // What is said to positions that the member commits.
  [[nodiscard]] Answer known(const MemberId& member) const;

 private:
  struct Member {
    std::uint64_t id = 0;
    Instant seen;
    std::function<void()> news;
    std::set<log::PartitionId> owned;
  };
  void watch(const std::string& instance, std::uint64_t member);
  void arrange();
  void tell(const std::string& instance);

  World& world_;
  const std::string group_;
  const log::PartitionId partitions_;
  std::uint64_t ids_ = 0;
  std::uint64_t generation_ = 1;
  std::map<std::string, Member> members_;
  std::map<log::PartitionId, std::string> wanted_;  // who is to have it
};

}  // namespace godwit::simulation
