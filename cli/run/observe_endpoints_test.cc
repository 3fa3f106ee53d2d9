#include "cli/run/observe_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/test_loop.h"

namespace godwit::cli::run {
namespace {

http::Response get(const http::Routes& routes, std::string_view path) {
  const http::Routes::Match match = routes.match(http::Method::kGet, path);
  return match.handler == nullptr ? http::Response::problem(404)
                                  : async::run_task((*match.handler)(http::Request{}));
}

TEST(ObserveRoutes, SayWhetherTheProcessIsAliveAndReady) {
  observe::Metrics metrics;
  const observe::CounterDefinition counted{"godwit_test_total", "T."};
  metrics.counter(counted).add(3);
  Troubles live;
  Troubles ready{{"sender", "partition 3 is being rebuilt"}, {"log", "no space"}};
  const auto routes = observe_routes(metrics, [&] { return live; }, [&] { return ready; });

  EXPECT_EQ(get(*routes, "/livez").status, 200);
  EXPECT_EQ(get(*routes, "/readyz").status, 503);
  EXPECT_EQ(get(*routes, "/readyz").body, "sender: partition 3 is being rebuilt\nlog: no space\n");
  ready.clear();
  EXPECT_EQ(get(*routes, "/readyz").status, 200);
  live.push_back({"shard-1", "no heartbeat"});
  EXPECT_EQ(get(*routes, "/livez").status, 503);

  const http::Response page = get(*routes, "/metrics");
  EXPECT_THAT(page.body, testing::HasSubstr("godwit_test_total 3\n"));
  EXPECT_EQ(page.headers.at(0).value, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(get(*routes, "/").status, 404);
}

}  // namespace
}  // namespace godwit::cli::run
