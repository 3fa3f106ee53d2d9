#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/gate.h"
#include "common/control/static_route.h"
#include "common/log/log.h"
#include "common/role/partitions.h"
#include "common/role/role.h"
#include "router/config.h"
#include "router/metrics.h"
#include "router/partition_router.h"

namespace godwit::router {

// The role: joins the group `router` and runs a PartitionRouter for each partition it owns, on the shard of the
// partition's number.
class Router final : public role::Role {
 public:
  Router(const role::RoleContext& context, const Config& config, control::StaticRoutes routes);
  ~Router() override;

  [[nodiscard]] std::string_view name() const override { return "router"; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] std::string problem() const override;
  void drain(Instant deadline) override;
  void stop() override;

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

}  // namespace godwit::router
