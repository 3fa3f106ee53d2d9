#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/log/kafka/consumer.h"
#include "common/log/kafka/member.h"
#include "common/log/kafka/owned_partition.h"
#include "common/log/kafka/partition_taker.h"
#include "common/log/kafka/shared_tables.h"
#include "common/log/kafka/table_copies.h"
#include "common/log/kafka/transaction_lane.h"

namespace godwit::log {

// A member of a group: learns which partitions are its own, takes them, gives them back.
//
// Taking p   the lane's producer first, which ends what a predecessor left open; then PartitionTaker; then a transaction
//            with p's positions, which only a member of the group's generation gets through: so a process that was
//            away, and does not know yet that it is no member any more, begins nothing. Only then is p the listener's
// Giving p   the listener finishes it, within `revocation`; what is under way ends; then the group has it
// Stop       keeps the place in the group: a static member that comes back within the session has its partitions.
//            Or, asked to leave, gives it back
// End        a client that is refused for good, because another process has its name, loses everything: ended()
// Threads    stop(), problem(), ... any. Listeners are called by the consumer and the lanes, one at a time
class KafkaGroup final : public Group {
 public:
  struct Environment {
    KafkaOptions options;
    TopicNames names;
    KafkaAdmin* admin = nullptr;
    std::shared_ptr<TableCopies> copies;
    SharedTables* shared = nullptr;
    const std::atomic<bool>* leave = nullptr;  // what to do at stop()
  };
  // Returns at once; the group and its partitions come later.
  [[nodiscard]] static Result<std::unique_ptr<KafkaGroup>> join(
      Environment environment, GroupSpec spec, std::shared_ptr<GroupListener> listener);
  ~KafkaGroup() override;

  void stop(std::chrono::milliseconds bound) override;
  [[nodiscard]] std::string problem() const;
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  enum class Phase : std::uint8_t { kTaking, kConfirming, kOwned, kReleasing };
  struct Place {
    Phase phase = Phase::kTaking;
    std::uint64_t generation = 0;  // another one each time the group gives it
    std::uint64_t turn = 0;        // another one each time it is taken
    std::shared_ptr<OwnedPartition> owned;
    bool released = false;
    Instant not_before{};  // when it was tried in vain
    std::string halted;    // why it cannot be taken
  };
  struct Revocation {
    std::vector<PartitionId> partitions;
    Instant deadline;
  };
  KafkaGroup(Environment environment, GroupSpec spec, std::shared_ptr<GroupListener> listener);
  [[nodiscard]] std::shared_ptr<TransactionLane> lane(PartitionId partition) const {
    return lanes_[partition % lanes_.size()];
  }
  [[nodiscard]] std::vector<Topic> read_topics() const;

  void on_assigned(const std::vector<PartitionId>& partitions);
  void on_revoked(const std::vector<PartitionId>& partitions, bool lost);
  void on_failed(std::string problem);
  void on_ended(const std::shared_ptr<OwnedPartition>& partition);
  [[nodiscard]] bool tick();
  void let_go(PartitionId partition);
  [[nodiscard]] bool settled(const Revocation& revocation);
  void release(PartitionId partition);

  void take_work();
  [[nodiscard]] std::vector<PartitionId> next_to_take();
  void confirm(const PartitionTaker::Taken& taken, std::uint64_t turn);
  void confirmed(const std::shared_ptr<OwnedPartition>& owned, const Result<Written>& written);
  void hand_over(const std::shared_ptr<OwnedPartition>& owned);
  void take_again(PartitionId partition, std::chrono::milliseconds later, std::string halted);
  void wipe(PartitionId partition);
  void sample();
  [[nodiscard]] std::vector<std::shared_ptr<OwnedPartition>> all_owned() const;
  void set_problem(std::string problem);
  void lose(PartitionId partition);

  const Environment env_;
  const GroupSpec spec_;
  const std::shared_ptr<GroupListener> listener_;
  std::shared_ptr<GroupMetrics> metrics_;
  std::vector<std::shared_ptr<TransactionLane>> lanes_;
  std::unique_ptr<KafkaConsumer> reader_;
  std::unique_ptr<GroupMember> member_;
  std::unique_ptr<PartitionTaker> taker_;

  std::recursive_mutex listener_mutex_;  // calls come one at a time
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<PartitionId, Place> places_;
  std::set<PartitionId> to_take_;
  std::vector<Revocation> revocations_;  // on the consumer's thread
  std::uint64_t turns_ = 0;
  std::string problem_;
  std::string failure_;  // why it has ended
  bool stopping_ = false;
  bool stopped_ = false;
  std::atomic<bool> ended_{false};
  std::thread thread_;
  std::vector<observe::Metrics::Sampled> samples_;
};

}  // namespace godwit::log
