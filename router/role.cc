#include "router/role.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/log/log.h"
#include "common/role/partitions.h"
#include "router/metrics.h"
#include "router/partition_router.h"

namespace godwit::router {
namespace {

// A commit under way is waited for, no look-up is.
constexpr std::chrono::seconds kRevocationMax{5};

// Joins the group `router` and runs a PartitionRouter for each partition it owns, on the shard of its number.
class Router final : public role::Role {
 public:
  Router(const role::RoleContext& context, const Config& config, control::StaticRoutes routes)
      : context_(context),
        config_(config),
        routes_(std::move(routes)),
        plan_{.outbound_partitions = context.log.partitions(log::Topic::kOutbound),
              .node = context.node,
              .by_position = context.log.reads_by_position(),
              .event_partitions = context.log.partitions(log::Topic::kEvents),
              .body_partitions = context.log.partitions(log::Topic::kBodies)},
        metrics_(context.metrics) {}
  ~Router() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "router"; }

  [[nodiscard]] Result<void> start() override {
    for (std::size_t i = 0; i < context_.shards.size(); ++i) {
      sites_.push_back(std::make_unique<SiteFinder>(context_.resolver, context_.shards.at(i), gate_,
                                                    config_.sites, metrics_));
    }
    bodies_ = context_.log.producer();
    partitions_ = std::make_shared<role::Partitions>(
        context_.shards, gate_,
        [this](std::shared_ptr<log::Ownership> ownership, std::size_t shard) {
          return std::make_shared<PartitionRouter>(
              std::move(ownership), PartitionContext{.shard = context_.shards.at(shard),
                                                     .control = context_.control,
                                                     .routes = routes_,
                                                     .clock = context_.clock,
                                                     .plan = plan_,
                                                     .config = config_,
                                                     .sites = *sites_[shard],
                                                     .metrics = metrics_,
                                                     .hand = context_.poison.at(shard),
                                                     .log = context_.log,
                                                     .bodies = *bodies_});
        });
    TRY(group_, context_.log.join({.name = "router",
                                   .subscribed = log::Topic::kAccepted,
                                   .followed = {log::Topic::kAcceptedUrgent}},
                                  partitions_));
    return {};
  }

  [[nodiscard]] std::string problem() const override {
    if (group_ == nullptr) return "not started";
    return partitions_->problem();
  }

  void drain(Instant deadline) override {
    if (partitions_)
      partitions_->drain(std::max<Duration>(deadline - context_.clock.instant(), Duration::zero()));
  }

  void stop() override {
    if (group_) group_->stop(kRevocationMax);
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      if (async::Gate::Pass pass = gate_.try_enter()) {
        context_.shards.at(i).post(
            [sites = sites_[i].get(), pass = std::move(pass)] { sites->stop(); });
      }
    }
    gate_.close_and_wait();
  }

 private:
  const role::RoleContext context_;
  const Config config_;
  const control::StaticRoutes routes_;
  const PlanContext plan_;
  RouterMetrics metrics_;
  async::Gate gate_;
  std::vector<std::unique_ptr<SiteFinder>> sites_;  // of each shard
  std::shared_ptr<role::Partitions> partitions_;
  std::unique_ptr<log::Producer> bodies_;
  std::unique_ptr<log::Group> group_;
};

}  // namespace

std::unique_ptr<role::Role> make_router(const role::RoleContext& context, const Config& config,
                                        control::StaticRoutes routes) {
  return std::make_unique<Router>(context, config, std::move(routes));
}

}  // namespace godwit::router
