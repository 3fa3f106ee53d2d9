#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/log/log.h"
#include "common/log/ownership_rules.h"
#include "tests/simulation/process.h"

namespace godwit::simulation {

class OwnedPartition;

// One transactional producer of a process, in the order of common/log/kafka's: everything of its partitions that
// waits goes into one transaction, with everybody's position and the member's generation; then the local copies.
class TransactionLane {
 public:
  struct Environment {
    Process& process;
    std::string id;
    const log::GroupSpec& spec;
    Coordinator& group;
    std::function<MemberId()> member;
    // The lane ended this ownership.
    std::function<void(const std::shared_ptr<OwnedPartition>&)> ended;
  };
  explicit TransactionLane(Environment environment);

  // The producer of before is fenced, its open transaction ended: a partition can be taken.
  [[nodiscard]] bool ready() const { return begun_; }
  void add(const std::shared_ptr<OwnedPartition>& partition);
  void commit(std::shared_ptr<OwnedPartition> partition, log::Batch batch, log::WriteDone done);
  // Is something of the partition waiting or under way? What waits of an ended one is refused.
  [[nodiscard]] bool busy(log::PartitionId partition);

 private:
  struct Pending {
    std::shared_ptr<OwnedPartition> partition;
    log::Batch batch;
    log::WriteDone done;
    std::vector<log::Offset> appended;
    std::vector<log::Offset> changed;
  };
  enum class Part : std::uint8_t { kAll, kPositions, kRecords, kButMoves, kMoves };

  async::Task<void> work();
  async::Task<void> begin();
  [[nodiscard]] std::vector<Pending> next();
  async::Task<void> run(std::vector<Pending> pendings);
  async::Task<log::TransactionEnd> attempt(std::vector<Pending>& pendings, Part part,
                                           Instant deadline);
  async::Task<bool> write(std::vector<Pending>& pendings, Part part, Instant deadline);
  async::Task<log::TransactionEnd> give_up(log::TransactionEnd end, Instant deadline);
  void finish(std::vector<Pending> pendings);
  void refuse(std::vector<Pending> pendings, const log::TransactionVerdict& verdict);

  const Environment env_;
  Process& process_;
  bool begun_ = false;
  ProducerId producer_;
  std::deque<Pending> queue_;
  std::map<log::PartitionId, std::weak_ptr<OwnedPartition>> partitions_;
  std::vector<log::PartitionId> under_way_;
  async::Event wake_;
};

}  // namespace godwit::simulation
