#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/admin/types.h"
#include "common/async/gate.h"
#include "common/control/return_path.h"
#include "common/control/static_route.h"
#include "common/log/log.h"
#include "common/net/address.h"
#include "common/net/tls.h"
#include "common/role/role.h"
#include "sender/config.h"
#include "sender/content_budget.h"
#include "sender/ended_attempts.h"
#include "sender/environment.h"
#include "sender/metrics.h"
#include "sender/partition_owner.h"
#include "sender/spare_room.h"

namespace godwit::sender {

// The partitions of `outbound` that this process owns, each with its PartitionOwner on the shard of its number; and
// what all of them share.
//
// Not role::Partitions: here a partition that comes again waits until its last owner here has ended, whose ended
// attempts it may have to commit; the end of one has a deadline; and all of them are asked how much waits.
//
// Order      a partition is given back when its owner has ended: couriers out, last commit done
// Threads    the log calls the listener's functions on its threads; drain(), close() and summary() block their
//            caller, which is no shard; problem() any
// Lifecycle  made with std::make_shared, the log's group holds it too; drain(), leave the group, close(), destroy
class OwnedPartitions final : public log::GroupListener {
 public:
  OwnedPartitions(const role::RoleContext& context, const Config& config,
                  std::optional<net::Address> capture, control::ReturnPath return_path,
                  std::shared_ptr<net::TlsClientContext> tls);
  ~OwnedPartitions() override;

  void assigned(std::shared_ptr<log::Ownership> ownership) override;
  // Waits for transactions under way, Config::drain_wait at most.
  void revoked(log::PartitionId partition, std::move_only_function<void()> released) override;
  void lost(log::PartitionId partition) override;

  // Every partition stops; what is unfinished at the deadline stays in the log.
  void drain(Instant deadline);
  // After the group was left: returns when nothing runs on the shards any more.
  void close();

  // Of the first partition that does not work as it should; that there is none yet counts.
  [[nodiscard]] std::string problem() const;
  // Errors: kBusy when a shard does not answer, or the role is stopping.
  [[nodiscard]] Result<admin::QueueSummary> summary(const admin::QueueQuery& query);
  // As admin::DeliverySource. Errors: kBusy when a partition does not answer in kScanWait.
  [[nodiscard]] Result<admin::DeliveryList> deliveries(const commands::Filter& filter,
                                                       std::size_t rows_max);
  [[nodiscard]] Result<std::optional<admin::DeliveryDetails>> delivery(const DeliveryId& id);

 private:
  struct OnShard;  // what the partitions of one shard share

  [[nodiscard]] Environment environment_on(std::size_t shard, Random& random,
                                           const std::optional<net::Address>& capture);
  [[nodiscard]] std::vector<log::PartitionId> partitions() const;
  // What each partition answers; `ask` is called on its shard, and answers once, or never when it is given back.
  template <class Answer>
  using Ask = std::function<void(PartitionOwner& owner,
                                 std::move_only_function<void(Result<Answer>)> answered)>;
  template <class Answer>
  [[nodiscard]] Result<std::vector<Answer>> ask_all(Ask<Answer> ask);
  Environment& environment_of(log::PartitionId partition);
  PartitionOwner* find(log::PartitionId partition);
  void begin(Environment& environment, std::shared_ptr<log::Ownership> ownership);
  [[nodiscard]] bool forget_waiting(log::PartitionId partition);
  void release(log::PartitionId partition, Instant deadline, bool lost,
               std::move_only_function<void()> released);
  async::Task<void> end(std::unique_ptr<PartitionOwner> owner, Instant deadline,
                        std::move_only_function<void()> released);

  const role::RoleContext context_;
  const Config config_;
  const control::StaticRoutes routes_;
  const control::ReturnPath return_path_;
  std::shared_ptr<net::TlsClientContext> tls_;
  SenderMetrics metrics_;
  SpareRoom spare_room_;
  ContentBudget content_budget_;
  EndedAttempts ended_attempts_;
  const std::string process_;
  std::vector<std::unique_ptr<OnShard>> shards_;
  async::Gate posts_;  // on their way to a shard
  async::Gate gate_;   // partitions that end
  mutable std::mutex mutex_;
  std::map<log::PartitionId, std::unique_ptr<PartitionOwner>> owners_;
  // Owners that end, each with the ownership that waits for it; mostly none does.
  std::map<log::PartitionId, std::shared_ptr<log::Ownership>> ending_;
  std::size_t known_ = 0;  // assigned and not released
};

}  // namespace godwit::sender
