#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "common/control/errc.h"
#include "common/control/file_control.h"
#include "common/control/objects.h"

namespace godwit::control {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// The example of docs/control.md.
constexpr std::string_view kExample = R"(tenants:
  - name: acme
    credentials: [{username: acme, password: secret}]
    api_keys: [{name: app, key: plain, scopes: [send, read]}]
    domains: [{name: Bücher.example, verified: true, return_path: bounce.acme.example, dkim: [{selector: s1, key: s1.pem}]}]
    pool: default
sources: {a: {address: 127.0.0.1, address6: "::1", public: 192.0.2.1, ehlo: MTA1.example.test, proxy: {address: "[::1]:5000"}}}
pools: {default: [{source: a, weight: 1}]}
shaping:
  - {default: true, connection_limit: 10, max_message_rate: 100/s}
  - {domain: Slow.example, connection_limit: 2, max_message_rate: 5/s}
placement:
  slots: [{slots: 0-1023, partition: 3}, {slots: 477, partition: 0}]
  lanes: [{site: google, partitions: [2]}]
)";

TEST(ControlFile, SaysEverythingThatIsWrongAndWhere) {
  const struct {
    std::string_view yaml;
    std::vector<std::string> problems;
  } cases[] = {
      {"tenants: [", {"c.yaml:"}},
      {"[]", {"c.yaml:1:1: "}},
      {"tenant: []", {"c.yaml:1:1: tenant: unknown key; did you mean `tenants`?"}},
      {"tenants:\n  - {}\n", {"c.yaml:2:5: tenants[0].name: is missing"}},
      {"tenants:\n  - {name: a b}\n", {"c.yaml:2:12: tenants[0].name: `a b` is no name"}},
      {"tenants:\n  - {name: a}\n  - {name: a}\n",
       {"c.yaml:3:12: tenants[1].name: the tenant `a` is there twice"}},
      {"tenants:\n  - {name: a, pool: fast}\n",
       {"c.yaml:2:21: tenants[0].pool: there is no pool `fast`"}},
      {"tenants:\n  - name: a\n    credentials: [{username: u, password: p}, {username: u, "
       "password: q}]\n",
       {"c.yaml:3:58: tenants[0].credentials[1].username: the user name `u` is there twice"}},
      {"tenants:\n  - name: a\n    credentials: [{username: u, password: \"\"}]\n",
       {"c.yaml:3:43: tenants[0].credentials[0].password: is empty"}},
      {"tenants:\n  - name: a\n    domains: [{name: x.example, verified: true}]\n"
       "  - name: b\n    domains: [{name: X.example, verified: true}, {name: a..b}]\n",
       {"c.yaml:5:22: tenants[1].domains[0].name: the verified domain `x.example` is there twice",
        "c.yaml:5:57: tenants[1].domains[1].name: `a..b` is no domain"}},
      {"sources: {a: {address: 300.1.1.1, address6: 127.0.0.1}}",
       {"c.yaml:1:24: sources.a.address: `300.1.1.1` is no address",
        "c.yaml:1:45: sources.a.address6: `127.0.0.1` is no address"}},
      {"sources:\n  a: {address: 192.0.2.1, proxy: {address: proxy.example:5000}}\n"
       "  b: {address: 192.0.2.1, proxy: {address: \"10.0.0.5:0\"}}\n"
       "  c: {proxy: {address: \"10.0.0.5:5000\"}}\n  d: {proxy: 10.0.0.5}\n",
       {"c.yaml:2:44: sources.a.proxy.address: `proxy.example:5000` is no IP address with a port",
        "c.yaml:3:44: sources.b.proxy.address: `10.0.0.5:0` is no IP address with a port",
        "sources.c.proxy: has no address to send from", "sources.d.proxy:"}},
      {"pools: {p: [{source: x}, {source: default}, {source: default, weight: -1}], q: []}",
       {"c.yaml:1:22: pools.p[0].source: there is no source `x`",
        "c.yaml:1:54: pools.p[2].source: the source of the pool `default` is there twice",
        "c.yaml:1:71: pools.p[2].weight:", "c.yaml:1:80: pools.q: has no sources"}},
      {"shaping:\n  - {connection_limit: 1}\n  - {default: true, site: google}\n  - {source: z, "
       "tls: never}\n"
       "  - {default: true, max_message_rate: 5}\n  - {default: true, connection_limit: 0}\n",
       {"c.yaml:2:5: shaping[0]: says for nobody",
        "c.yaml:3:15: shaping[1].default: is for everything and",
        "c.yaml:4:14: shaping[2].source: there is no source `z`",
        "c.yaml:4:22: shaping[2].tls:", "c.yaml:5:39: shaping[3].max_message_rate: `5` is no rate",
        "c.yaml:6:39: shaping[4].connection_limit:"}},
      {"placement:\n  slots: [{slots: 5-4, partition: 0}, {slots: 4096, partition: 1}, {slots: "
       "7}]\n",
       {"c.yaml:2:19: placement.slots[0].slots: `5-4` is no range of slots",
        "c.yaml:2:47: placement.slots[1].slots: `4096` is no range of slots",
        "c.yaml:2:68: placement.slots[2].partition: is missing"}},
      {"placement:\n  lanes:\n    - {site: a, partitions: []}\n    - {site: b, partitions: [0, "
       "1]}\n"
       "    - {site: c, pool: p, partitions: [1]}\n    - {site: d, partitions: [2]}\n"
       "    - {site: d, partitions: [3]}\n",
       {"c.yaml:3:29: placement.lanes[0].partitions: is empty",
        "c.yaml:4:29: placement.lanes[1].partitions: has 2 partitions, and the pool has 1 sources",
        "c.yaml:5:23: placement.lanes[2].pool: there is no pool `p`",
        "c.yaml:7:7: placement.lanes[4]: the lane `d default` is there twice"}},
  };
  for (const auto& [yaml, problems] : cases) {
    const ParsedControl parsed = parse_control(yaml, "c.yaml");
    EXPECT_THAT(parsed.content.tenants, IsEmpty());
    ASSERT_THAT(parsed.problems, SizeIs(problems.size())) << yaml << testing::PrintToString([&] {
      std::string all;
      for (const auto& problem : parsed.problems) all += problem.to_string() + "\n";
      return all;
    }());
    for (std::size_t i = 0; i < problems.size(); ++i) {
      EXPECT_THAT(parsed.problems[i].to_string(), HasSubstr(problems[i]));
    }
  }
}

TEST(ControlFile, ReadsTheWholeContract) {
  const ParsedControl parsed = parse_control(kExample, "/etc/godwit/control.yaml");
  ASSERT_THAT(parsed.problems, IsEmpty());
  const SnapshotPtr made = make_snapshot(parsed.content);
  const Snapshot& snapshot = *made;
  const Tenant* acme = snapshot.tenant("acme");
  ASSERT_NE(acme, nullptr);
  EXPECT_EQ(acme->api_keys[0].scopes, (std::vector<std::string>{"send", "read"}));
  EXPECT_EQ(acme->domains[0].name, "xn--bcher-kva.example");
  EXPECT_EQ(acme->domains[0].dkim[0].key_file, "/etc/godwit/s1.pem");
  EXPECT_EQ(snapshot.tenant_of_domain("xn--bcher-kva.example"), acme);
  EXPECT_EQ(snapshot.account("acme")->tenant, acme);
  EXPECT_EQ(snapshot.account("acme")->credential->password, "secret");
  EXPECT_FALSE(snapshot.account("nobody"));
  const Source* source = snapshot.source("a");
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->name, SourceName("a"));
  EXPECT_EQ(source->address6, "::1");
  EXPECT_EQ(source->public_address, "192.0.2.1");
  EXPECT_EQ(source->ehlo, "mta1.example.test");
  EXPECT_EQ(source->proxy.address, "[::1]:5000");
  EXPECT_EQ(snapshot.pool("default")->members[0].source, SourceName("a"));
  EXPECT_TRUE(snapshot.shapes_domain("slow.example"));
  EXPECT_FALSE(snapshot.shapes_domain("fast.example"));
  // What is not built is said once, not refused.
  EXPECT_THAT(parsed.notices, SizeIs(2));
}

TEST(ControlFile, TheDefaultsAlwaysExist) {
  for (const std::string_view yaml :
       {"", "tenants: []", "sources: {a: {}}\npools: {p: [{source: a}]}"}) {
    const ParsedControl parsed = parse_control(yaml, "c.yaml");
    ASSERT_THAT(parsed.problems, IsEmpty()) << yaml;
    const SnapshotPtr snapshot = make_snapshot(parsed.content);
    EXPECT_EQ(snapshot->tenant("default")->pool, PoolName("default"));
    EXPECT_EQ(snapshot->pool("default")->members[0].source, SourceName("default"));
    EXPECT_EQ(snapshot->source("default")->address, "");
  }
  EXPECT_NE(default_snapshot()->tenant("default"), nullptr);
}

TEST(ControlFile, UnverifiedDomainsBelongToNobody) {
  const ParsedControl parsed =
      parse_control("tenants: [{name: a, domains: [{name: x.example}]}]", "c.yaml");
  EXPECT_EQ(make_snapshot(parsed.content)->tenant_of_domain("x.example"), nullptr);
}

TEST(ControlFile, SaysOfWhichKindsItSpeaks) {
  const auto named = parse_control("tenants: []\npools: {p: [{source: default}]}", "c.yaml").named;
  EXPECT_TRUE(named.tenants && named.pools);
  EXPECT_FALSE(named.sources || named.shaping);
}

TEST(ControlFile, NamesMayBeThereBesideIt) {
  const Content beside = parse_control(kExample, "b.yaml").content;
  const auto problem = [&](std::string_view yaml) {
    const auto problems = parse_control(yaml, "c.yaml", beside).problems;
    return problems.empty() ? std::string() : problems.front().to_string();
  };
  EXPECT_EQ(problem("pools: {p: [{source: a}]}\nshaping: [{source: a}]"), "");
  EXPECT_THAT(problem("tenants: [{name: t, credentials: [{username: acme, password: p}]}]"),
              HasSubstr("c.yaml:1:46: tenants[0].credentials[0].username: the user name `acme` "
                        "belongs to the tenant `acme`"));
  EXPECT_THAT(problem("tenants: [{name: t, domains: [{name: BÜCHER.example, verified: true}]}]"),
              HasSubstr("belongs to the tenant `acme`"));
  // The tenant itself may keep what it has.
  EXPECT_EQ(problem("tenants: [{name: acme, credentials: [{username: acme, password: p}]}]"), "");
}

TEST(ControlFile, IsPrintedAsItIsRead) {
  const Content content = parse_control(kExample, "/etc/godwit/control.yaml").content;
  const std::string text = print_control(content);
  const ParsedControl again = parse_control(text, "/elsewhere/control.yaml");
  ASSERT_THAT(again.problems, IsEmpty()) << text;
  EXPECT_EQ(objects_of(again.content), objects_of(content)) << text;
  EXPECT_EQ(print_control(again.content), text);
  EXPECT_THAT(text, HasSubstr("      - {name: app, key: plain, scopes: [send, read]}\n"));
  EXPECT_THAT(text, HasSubstr("  - {domain: slow.example, connection_limit: 2, "));
  EXPECT_EQ(print_control({}), "");
}

TEST(ControlFile, WhatATenantDoesNotShareWithOthersIsPrinted) {
  const struct {
    const char* yaml;
    const char* printed;
    bool dsn;
    OutcomeUnknown outcome_unknown;
  } cases[] = {
      {"", "", true, OutcomeUnknown::kRetry},
      {"dsn: true, outcome_unknown: retry", "", true, OutcomeUnknown::kRetry},
      {"outcome_unknown: hold", "    outcome_unknown: hold\n", true, OutcomeUnknown::kHold},
      {"dsn: false", "    dsn: false\n", false, OutcomeUnknown::kRetry},
  };
  for (const auto& test : cases) {
    const std::string yaml = fmt::format("tenants: [{{name: t, {}}}]", test.yaml);
    const ParsedControl parsed = parse_control(yaml, "c.yaml");
    ASSERT_THAT(parsed.problems, IsEmpty()) << yaml;
    const std::string text = print_control(parsed.content);
    EXPECT_EQ(text, fmt::format("tenants:\n  - name: t\n    pool: default\n{}", test.printed));
    std::vector<std::string> wrong;
    for (const Content& content : {parsed.content, parse_control(text, "c.yaml").content,
                                   content_of(objects_of(parsed.content), wrong)}) {
      EXPECT_EQ(content.tenants.at("t").dsn, test.dsn) << yaml;
      EXPECT_EQ(content.tenants.at("t").outcome_unknown, test.outcome_unknown) << yaml;
    }
  }
  const auto wrong = parse_control("tenants:\n  - name: t\n    outcome_unknown: maybe\n", "c.yaml");
  ASSERT_THAT(wrong.problems, SizeIs(1));
  EXPECT_THAT(wrong.problems.front().to_string(),
              HasSubstr("c.yaml:3:22: tenants[0].outcome_unknown: "));
}

class FileControlTest : public testing::Test {
 protected:
  FileControlTest() : path_(std::filesystem::path(testing::TempDir()) / "control_test.yaml") {
    write(kExample);
  }
  ~FileControlTest() override { std::filesystem::remove(path_); }

  void write(std::string_view text) { std::ofstream(path_, std::ios::binary) << text; }

  std::filesystem::path path_;
};

TEST_F(FileControlTest, ABadFileIsRefusedAtTheStart) {
  std::filesystem::remove(path_);
  EXPECT_EQ(FileControl::load(path_).error().code, Errc::kUnreadable);
  EXPECT_EQ(FileControl::load(testing::TempDir()).error().code, Errc::kUnreadable);
  write("tenant: []\nshapings: []\n");
  const auto control = FileControl::load(path_);
  ASSERT_FALSE(control);
  EXPECT_EQ(control.error().code, Errc::kBadFile);
  EXPECT_THAT(control.error().context, HasSubstr(":1:1: tenant:"));
  EXPECT_THAT(control.error().context, HasSubstr(":2:1: shapings:"));
}

TEST_F(FileControlTest, ABadReloadKeepsWhatWasThere) {
  const auto control = FileControl::load(path_).value();
  const SnapshotPtr before = control->current();
  EXPECT_EQ(before->version, 1U);
  EXPECT_THAT(control->notices(), SizeIs(2));

  write("tenants: [{name: a, pool: nowhere}]");
  EXPECT_EQ(control->reload().error().code, Errc::kBadFile);
  EXPECT_EQ(control->current(), before);
  std::filesystem::remove(path_);
  EXPECT_EQ(control->reload().error().code, Errc::kUnreadable);
  EXPECT_EQ(control->current(), before);

  write("tenants: [{name: b}]");
  ASSERT_TRUE(control->reload());
  EXPECT_EQ(control->current()->version, 2U);
  EXPECT_NE(control->current()->tenant("b"), nullptr);
  EXPECT_EQ(control->current()->tenant("acme"), nullptr);
  EXPECT_NE(before->tenant("acme"), nullptr);  // holders keep what they hold
  EXPECT_THAT(control->notices(), IsEmpty());
}

TEST(FileControl, WithoutAFileThereAreTheDefaults) {
  const auto control = FileControl::defaults();
  EXPECT_NE(control->current()->tenant("default"), nullptr);
  EXPECT_TRUE(control->reload());
}

}  // namespace
}  // namespace godwit::control
