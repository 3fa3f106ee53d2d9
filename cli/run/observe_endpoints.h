#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/http/routes.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"

namespace godwit::cli::run {

using Troubles = std::vector<observe::Health::Trouble>;

// The routes of `observe.listen`.
//
//   GET /livez    200 "ok", or 503 and one line for each loop that has stopped
//   GET /readyz   200 "ok", or 503 and one line for each reason not to send traffic
//   GET /metrics  Prometheus text format 0.0.4
//
// Borrows   metrics; `live` and `ready` are called on any shard and must not block
[[nodiscard]] std::shared_ptr<const http::Routes> observe_routes(const observe::Metrics& metrics,
                                                                 std::function<Troubles()> live,
                                                                 std::function<Troubles()> ready);

}  // namespace godwit::cli::run
