#include "router/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/async/shard.h"
#include "router/role.h"

namespace godwit::router {
namespace {

// A commit under way is waited for, no look-up is.
constexpr std::chrono::seconds kRevocationMax{5};

}  // namespace

// The partitions this process owns now. The log tells it about them on its threads; each one's work is on its shard.
class Router::Members final : public log::GroupListener,
                              public std::enable_shared_from_this<Members> {
 public:
  explicit Members(Router& router) : router_(router) {}

  void assigned(std::shared_ptr<log::Ownership> ownership) override {
    const std::size_t index = ownership->partition() % router_.context_.shards.size();
    async::Shard& shard = router_.context_.shards.at(index);
    const log::PartitionId partition = ownership->partition();
    auto work = std::make_shared<PartitionRouter>(
        std::move(ownership), PartitionContext{.shard = shard,
                                               .control = router_.context_.control,
                                               .routes = router_.routes_,
                                               .clock = router_.context_.clock,
                                               .plan = router_.plan_,
                                               .config = router_.config_,
                                               .sites = *router_.sites_[index],
                                               .metrics = router_.metrics_,
                                               .hand = router_.context_.poison.at(index)});
    {
      const std::lock_guard lock(mutex_);
      if (draining_) return;
      members_.push_back({.partition = partition, .shard = &shard, .work = work, .released = {}});
    }
    if (!shard.spawn(run(shared_from_this(), work), router_.gate_)) ended(work.get());
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

  // Returns when no partition has mail in hand any more.
  void drain(std::chrono::nanoseconds bound) {
    std::unique_lock lock(mutex_);
    draining_ = true;
    for (const Member& member : members_)
      member.shard->post([work = member.work] { work->drain(); });
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
    std::shared_ptr<PartitionRouter> work;
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
                               std::shared_ptr<PartitionRouter> work) {
    co_await work->run();
    self->ended(work.get());
  }

  void ended(const PartitionRouter* work) {
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

  Router& router_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Member> members_;
  bool draining_ = false;
};

Router::Router(const role::RoleContext& context, const Config& config, control::StaticRoutes routes)
    : context_(context),
      config_(config),
      routes_(std::move(routes)),
      placement_(context.log.partitions(log::Topic::kOutbound)),
      plan_{.placement = placement_,
            .node = context.node,
            .by_position = context.log.reads_by_position(),
            .event_partitions = context.log.partitions(log::Topic::kEvents)},
      metrics_(context.metrics) {}

Router::~Router() {
  stop();
}

Result<void> Router::start() {
  for (std::size_t i = 0; i < context_.shards.size(); ++i) {
    sites_.push_back(std::make_unique<SiteFinder>(context_.resolver, context_.shards.at(i), gate_,
                                                  config_.sites, metrics_));
  }
  members_ = std::make_shared<Members>(*this);
  TRY(group_, context_.log.join({.name = "router",
                                 .subscribed = log::Topic::kAccepted,
                                 .followed = {log::Topic::kAcceptedUrgent}},
                                members_));
  return {};
}

std::string Router::problem() const {
  if (group_ == nullptr) return "not started";
  return members_->problem();
}

void Router::drain(Instant deadline) {
  if (members_)
    members_->drain(std::max<Duration>(deadline - context_.clock.instant(), Duration::zero()));
}

void Router::stop() {
  if (group_) group_->stop(kRevocationMax);
  gate_.close_and_wait();
}

std::unique_ptr<role::Role> make_router(const role::RoleContext& context, const Config& config,
                                        control::StaticRoutes routes) {
  return std::make_unique<Router>(context, config, std::move(routes));
}

}  // namespace godwit::router
