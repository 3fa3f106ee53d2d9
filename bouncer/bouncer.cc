#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "bouncer/metrics.h"
#include "bouncer/partition_bouncer.h"
#include "bouncer/role.h"
#include "common/async/gate.h"

namespace godwit::bouncer {
namespace {

constexpr std::chrono::seconds kRevocationMax{5};  // for a commit under way

// The partitions this process owns now. The log tells it about them on its threads; each one's work
// is on its shard.
class Members final : public log::GroupListener, public std::enable_shared_from_this<Members> {
 public:
  Members(const role::RoleContext& context, const control::ReturnPath& return_path,
          BouncerMetrics& metrics, async::Gate& gate)
      : context_(context), return_path_(return_path), metrics_(metrics), gate_(gate) {}

  void assigned(std::shared_ptr<log::Ownership> ownership) override {
    const log::PartitionId partition = ownership->partition();
    const std::size_t index = partition % context_.shards.size();
    async::Shard& shard = context_.shards.at(index);
    auto work = std::make_shared<PartitionBouncer>(
        std::move(ownership),
        PartitionContext{.shard = shard,
                         .log = context_.log,
                         .control = context_.control,
                         .return_path = return_path_,
                         .clock = context_.clock,
                         .node = context_.node,
                         .metrics = metrics_,
                         .hand = context_.poison.at(index),
                         .accepted_partitions = context_.log.partitions(log::Topic::kAccepted),
                         .event_partitions = context_.log.partitions(log::Topic::kEvents)});
    {
      const std::lock_guard lock(mutex_);
      if (draining_) return;
      members_.push_back({.partition = partition, .shard = &shard, .work = work, .released = {}});
    }
    if (!shard.spawn(run(shared_from_this(), work), gate_)) ended(work.get());
  }

  void revoked(log::PartitionId partition, std::move_only_function<void()> released) override {
    {
      const std::lock_guard lock(mutex_);
      if (Member* member = find(partition)) {
        member->released = std::move(released);
        member->shard->post([work = member->work] { work->stop(); });
        return;
      }
    }
    released();
  }

  void lost(log::PartitionId partition) override {
    const std::lock_guard lock(mutex_);
    if (Member* member = find(partition))
      member->shard->post([work = member->work] { work->lose(); });
  }

  // Returns when no commit is under way any more.
  void drain(std::chrono::nanoseconds bound) {
    std::unique_lock lock(mutex_);
    draining_ = true;
    for (const Member& member : members_)
      member.shard->post([work = member.work] { work->stop(); });
    changed_.wait_for(lock, bound, [this] { return members_.empty(); });
  }

  [[nodiscard]] std::string problem() const {
    const std::lock_guard lock(mutex_);
    for (const Member& member : members_) {
      const std::string problem = member.work->problem();
      if (!problem.empty()) return fmt::format("partition {}: {}", member.partition, problem);
    }
    return {};
  }

 private:
  struct Member {
    log::PartitionId partition = 0;
    async::Shard* shard = nullptr;
    std::shared_ptr<PartitionBouncer> work;
    std::move_only_function<void()> released;  // set: wanted back
  };

  // The youngest: one that was lost may still be ending when the partition comes again.
  Member* find(log::PartitionId partition) {
    const auto found = std::find_if(members_.rbegin(), members_.rend(), [&](const Member& member) {
      return member.partition == partition;
    });
    return found == members_.rend() ? nullptr : &*found;
  }

  static async::Task<void> run(std::shared_ptr<Members> self,
                               std::shared_ptr<PartitionBouncer> work) {
    co_await work->run();
    self->ended(work.get());
  }

  void ended(const PartitionBouncer* work) {
    std::move_only_function<void()> released;
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::ranges::find_if(
          members_, [&](const Member& member) { return member.work.get() == work; });
      if (found == members_.end()) return;
      released = std::move(found->released);
      members_.erase(found);
      changed_.notify_all();
    }
    if (released) released();
  }

  const role::RoleContext& context_;
  const control::ReturnPath& return_path_;
  BouncerMetrics& metrics_;
  async::Gate& gate_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Member> members_;
  bool draining_ = false;
};

class Bouncer final : public role::Role {
 public:
  Bouncer(const role::RoleContext& context, control::ReturnPath return_path)
      : context_(context), return_path_(std::move(return_path)), metrics_(context.metrics) {}
  ~Bouncer() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "bouncer"; }

  [[nodiscard]] Result<void> start() override {
    members_ = std::make_shared<Members>(context_, return_path_, metrics_, gate_);
    TRY(group_, context_.log.join({.name = "bouncer",
                                   .subscribed = log::Topic::kReports,
                                   .followed = {log::Topic::kEvents}},
                                  members_));
    return {};
  }

  [[nodiscard]] std::string problem() const override {
    return group_ == nullptr ? "not started" : members_->problem();
  }

  void drain(Instant deadline) override {
    if (members_)
      members_->drain(std::max<Duration>(deadline - context_.clock.instant(), Duration::zero()));
  }

  void stop() override {
    if (group_) group_->stop(kRevocationMax);
    gate_.close_and_wait();
  }

 private:
  const role::RoleContext context_;
  const control::ReturnPath return_path_;
  BouncerMetrics metrics_;
  async::Gate gate_;
  std::shared_ptr<Members> members_;
  std::unique_ptr<log::Group> group_;
};

}  // namespace

std::unique_ptr<role::Role> make_bouncer(const role::RoleContext& context,
                                         control::ReturnPath return_path) {
  return std::make_unique<Bouncer>(context, std::move(return_path));
}

}  // namespace godwit::bouncer
