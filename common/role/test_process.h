#pragma once

#include <memory>

#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/control/fake_view.h"
#include "common/log/fake_log.h"
#include "common/net/fake_resolver.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "common/poison/slots.h"
#include "common/role/role.h"

namespace godwit::role {

// What a process lends to a role, for tests of one: two running shards, a log in memory, a DNS that answers what it
// was told. The role ends before it does: a fixture derives from it, and owns the role.
struct TestProcess {
  explicit TestProcess(log::PartitionId partitions = 4) : log(system_clock(), partitions) {
    shards.start();
  }
  ~TestProcess() {
    pool.stop();
    shards.stop();
  }
  TestProcess(const TestProcess&) = delete;
  TestProcess& operator=(const TestProcess&) = delete;

  [[nodiscard]] RoleContext context() {
    return {.shards = shards,
            .pool = pool,
            .log = log,
            .control = control,
            .resolver = resolver,
            .clock = system_clock(),
            .metrics = metrics,
            .health = health,
            .poison = *poison,
            .node = "node1",
            .data_dir = {}};
  }

  async::Shards shards{2};
  async::BlockingPool pool{"test", 2, 64};
  log::FakeLog log;
  control::FakeView control;
  net::FakeResolver resolver;
  observe::Metrics metrics;
  observe::Health health;
  std::unique_ptr<poison::Slots> poison = std::make_unique<poison::Slots>(2);
};

}  // namespace godwit::role
