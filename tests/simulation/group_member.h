#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/log/log.h"
#include "tests/simulation/owned_partition.h"
#include "tests/simulation/process.h"
#include "tests/simulation/transaction_lane.h"

namespace godwit::simulation {

// A process as a member of a group, in the order of common/log/kafka/group.h: it lives by its heartbeats, takes what
// it is given (positions that are stable, the high watermark, the table up to there) and gives back what it is asked
// for when its listener has finished.
class GroupMember {
 public:
  GroupMember(Process& process, Coordinator& group, log::GroupSpec spec,
              std::shared_ptr<log::GroupListener> listener);

  // Finishes every partition; `finished` is called when nothing of it is under way any more. Keeps the place in the
  // group, or, with `leave`, gives it up.
  void finish(bool leave, std::move_only_function<void()> finished);

 private:
  enum class Phase : std::uint8_t { kTaking, kOwned, kReleasing };
  struct Place {
    Phase phase = Phase::kTaking;
    std::uint64_t turn = 0;        // another one each time it is taken
    std::uint64_t generation = 0;  // another one each time the group gives it
    std::shared_ptr<OwnedPartition> owned;
    bool released = false;
  };

  [[nodiscard]] TransactionLane& lane(log::PartitionId partition) {
    return *lanes_[partition % lanes_.size()];
  }
  async::Task<void> live();
  void lose_all();
  void assign(log::PartitionId partition);
  void let_go(log::PartitionId partition);
  void lose(log::PartitionId partition);
  void on_ended(const std::shared_ptr<OwnedPartition>& partition);
  async::Task<void> take(log::PartitionId partition, std::uint64_t turn);
  async::Task<bool> try_to_take(log::PartitionId partition, std::uint64_t turn);
  async::Task<bool> rebuild(log::TopicPartition where);
  [[nodiscard]] bool wanted(log::PartitionId partition, std::uint64_t turn) const;
  async::Task<void> give_back(log::PartitionId partition, std::uint64_t turn, bool for_good);
  async::Task<void> end(bool leave, std::move_only_function<void()> finished);

  Process& process_;
  Coordinator& group_;
  const log::GroupSpec spec_;
  const std::shared_ptr<log::GroupListener> listener_;
  std::vector<std::unique_ptr<TransactionLane>> lanes_;
  MemberId member_;
  bool joined_ = false;
  Instant heard_;      // when the last heartbeat that was answered was sent
  Instant doubted_{};  // when a commit was last refused for good
  bool ending_ = false;
  async::Event news_;
  std::map<log::PartitionId, Place> places_;
  std::uint64_t turns_ = 0;
};

}  // namespace godwit::simulation
