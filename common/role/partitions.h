#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/log/log.h"

namespace godwit::role {

// What a role does with one partition, for as long as it owns it.
// Threads   problem() any; the rest on the partition's shard
class PartitionWork {
 public:
  virtual ~PartitionWork() = default;
  // Until stop(), drain() or lose() was followed, or the ownership ended.
  [[nodiscard]] virtual async::Task<void> run() = 0;
  virtual void stop() = 0;   // finish the commit under way and end
  virtual void drain() = 0;  // take nothing more, commit what is in hand and end
  virtual void lose() = 0;   // end at once: another may own the partition
  // Why the partition stands still, for people; empty: it does not.
  [[nodiscard]] virtual std::string problem() const = 0;
};

// The partitions that this process owns of a group, each at work on the shard of its number.
//
// Made with std::make_shared; the log's group holds it too.
// Threads    the log calls the listener's functions on its threads; drain() blocks its caller, which
//            is no shard; problem() any
// Lifecycle  leave the group, then close the gate, then destroy what the work refers to
class Partitions final : public log::GroupListener,
                         public std::enable_shared_from_this<Partitions> {
 public:
  // The work on a partition; `shard` is the index of the shard it will run on. Called on a thread of
  // the log; must not call back.
  using Make = std::function<std::shared_ptr<PartitionWork>(
      std::shared_ptr<log::Ownership> ownership, std::size_t shard)>;

  Partitions(async::Shards& shards, async::Gate& gate, Make make);

  void assigned(std::shared_ptr<log::Ownership> ownership) override;
  void revoked(log::PartitionId partition, std::move_only_function<void()> released) override;
  void lost(log::PartitionId partition) override;

  // Takes no partition any more; returns when none has anything in hand, or after `bound`.
  void drain(Duration bound);

  // Of the first partition that stands still.
  [[nodiscard]] std::string problem() const;

 private:
  struct Member {
    log::PartitionId partition = 0;
    async::Shard* shard = nullptr;
    std::shared_ptr<PartitionWork> work;
    std::move_only_function<void()> released;  // set: wanted back
  };

  Member* find(log::PartitionId partition);
  static async::Task<void> run(std::shared_ptr<Partitions> self,
                               std::shared_ptr<PartitionWork> work);
  void ended(const PartitionWork* work);

  async::Shards& shards_;
  async::Gate& gate_;
  const Make make_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Member> members_;
  bool draining_ = false;
};

}  // namespace godwit::role
