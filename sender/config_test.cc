#include "sender/config.h"

#include <gtest/gtest.h>

#include "common/config/read.h"

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;

config::Outcome read(std::string_view yaml, Config& config) {
  return config::read_text(yaml, "godwit.yaml", config);
}

TEST(SenderConfig, TheContractsExampleIsRead) {
  Config config;
  const auto outcome = read(R"(
smtp_port: 2525
routes: [{domain: "example.test", to: "127.0.0.1:2530"}, {domain: "*", to: capture}]
retry: {first: 20m, factor: 2, max: 4h, age: 5d}
)",
                            config);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  EXPECT_EQ(config.smtp_port, 2525);
  EXPECT_EQ(config.retry.first, 20min);
  EXPECT_EQ(config.retry.age, 120h);
  const control::StaticRoutes routes = config.static_routes();
  ASSERT_NE(routes.find("example.test"), nullptr);
  EXPECT_EQ(routes.find("example.test")->host, "127.0.0.1");
  EXPECT_EQ(routes.find("example.test")->port, 2530);
  EXPECT_TRUE(routes.find("other.test")->capture);
}

TEST(SenderConfig, ARouteKeepsEverythingItSays) {
  Config config;
  const auto outcome = read(R"(
routes:
  - {domain: "*.Example.test", to: "smart.example:587", site: smart, tls: required, username: u, password: p}
own_networks: [192.0.2.0/24]
)",
                            config);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  const control::StaticRoutes routes = config.static_routes();
  const control::StaticRoute* route = routes.find("mail.example.test");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->site, "smart");
  EXPECT_EQ(route->tls, control::Shaping::Tls::kRequired);
  ASSERT_TRUE(route->auth.has_value());
  EXPECT_EQ(route->auth->password, "p");
  EXPECT_EQ(config.own().size(), 1U);
}

TEST(SenderConfig, EveryProblemIsReportedAtOnce) {
  const struct {
    const char* yaml;
    std::size_t problems;
  } cases[] = {
      {"smtp_port: 0\n", 1},
      {"retry: {first: soon, factor: 0.5}\n", 2},
      {"routes: [{domain: \"bad domain\", to: \"\"}, {to: capture}]\n", 3},
      {"routes: [{domain: a.test, to: capture, username: u}]\n", 1},
      {"own_networks: [192.0.2.1/24]\n", 1},
      {"no_such_key: 1\ncommit_interval: 0\n", 2},
  };
  for (const auto& test : cases) {
    Config config;
    const auto outcome = read(test.yaml, config);
    EXPECT_EQ(outcome.problems.size(), test.problems) << test.yaml << outcome.to_string();
  }
}

}  // namespace
}  // namespace godwit::sender
