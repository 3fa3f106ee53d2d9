#include "common/control/static_route.h"

#include <gtest/gtest.h>

#include "common/control/errc.h"

namespace godwit::control {
namespace {

TEST(RouteTarget, RefusesWhatIsNoHost) {
  for (const std::string_view bad :
       {"", ":25", "host:", "host:0", "host:65536", "host:x", "::1", "[::1", "[::1]25", "[host]:25",
        "a..b", "host:25:26", "host:-1", "[]:25"}) {
    const auto target = parse_route_target(bad);
    ASSERT_FALSE(target) << bad;
  }
}

TEST(RouteTarget, ReadsHostsAndTheCapture) {
  EXPECT_TRUE(parse_route_target("capture")->capture);
  const struct {
    std::string_view in, host;
    std::uint16_t port;
  } cases[] = {{"127.0.0.1:2530", "127.0.0.1", 2530},
               {"Smarthost.Example", "smarthost.example", 25},
               {"[::1]:2530", "::1", 2530},
               {"[2001:db8::1]", "2001:db8::1", 25}};
  for (const auto& [in, host, port] : cases) {
    const auto target = parse_route_target(in);
    ASSERT_TRUE(target) << in;
    EXPECT_FALSE(target->capture);
    EXPECT_EQ(target->host, host);
    EXPECT_EQ(target->port, port);
  }
}

TEST(StaticRoutes, TheNarrowestPatternWins) {
  std::vector<StaticRoute> list;
  for (const auto& [pattern, host] :
       std::initializer_list<std::pair<const char*, const char*>>{{"*", "all"},
                                                                  {"*.example.test", "below"},
                                                                  {"example.test", "exact"},
                                                                  {"*.deep.example.test", "deep"},
                                                                  {"EXAMPLE.test", "second"},
                                                                  {"Other.test", "other"}}) {
    StaticRoute route;
    route.domain = pattern;
    route.host = host;
    list.push_back(route);
  }
  const StaticRoutes routes(list);
  EXPECT_EQ(routes.find("example.test")->host, "exact");
  EXPECT_EQ(routes.find("a.example.test")->host, "below");
  EXPECT_EQ(routes.find("a.b.example.test")->host, "below");
  EXPECT_EQ(routes.find("a.deep.example.test")->host, "deep");
  EXPECT_EQ(routes.find("deep.example.test")->host, "below");
  EXPECT_EQ(routes.find("notexample.test")->host, "all");
  EXPECT_EQ(routes.find("other.test")->host, "other");
  EXPECT_EQ(routes.find("[192.0.2.1]")->host, "all");
  EXPECT_EQ(StaticRoutes().find("example.test"), nullptr);
  list.erase(list.begin());
  EXPECT_EQ(StaticRoutes(list).find("test"), nullptr);
}

}  // namespace
}  // namespace godwit::control
