#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/test_directory.h"
#include "common/config/print.h"
#include "common/config/read.h"

using namespace std::chrono_literals;

namespace godwit::config {
namespace {

enum class Kind : std::uint8_t { kRelay, kSubmission, kInbound };
constexpr auto config_names(Kind) {
  return std::to_array<EnumName<Kind>>(
      {{"relay", Kind::kRelay}, {"submission", Kind::kSubmission}, {"inbound", Kind::kInbound}});
}

struct Listener {
  HostPort listen;
  Kind kind = Kind::kRelay;
  std::vector<std::string> trusted_networks;
  std::string password;
  bool operator==(const Listener&) const = default;
};
void describe(Fields& fields, Listener& listener) {
  fields.add("listen", listener.listen, "Where to listen.").require();
  fields.add("kind", listener.kind, "Who may use it.");
  fields.add("trusted_networks", listener.trusted_networks, "Who may relay.");
  fields.add("password", listener.password, "A secret.").hide();
}

struct Retry {
  std::chrono::seconds first = 20min;
  double factor = 2;
  std::chrono::milliseconds max = 4h;
  bool operator==(const Retry&) const = default;
};
void describe(Fields& fields, Retry& retry) {
  fields.add("first", retry.first, "Delay before the second attempt.").range(1s, 24h);
  fields.add("factor", retry.factor, "Growth of the delay.").range(1, 10);
  fields.add("max", retry.max, "The longest delay.");
  fields.rule("max", [&retry]() -> std::optional<Wrong> {
    if (retry.max >= retry.first) return std::nullopt;
    return Wrong{"is shorter than `first`", "at least " + render_duration(retry.first)};
  });
}

struct Demo {
  std::string cluster = "demo";
  bool fast = false;
  std::uint16_t port = 25;
  std::int32_t offset = -3;
  std::uint64_t max_message_bytes = 36'700'160;
  std::filesystem::path data_dir = "./data";
  Retry retry;
  std::vector<Listener> smtp{{{"127.0.0.1", 2525}, Kind::kSubmission, {"10.0.0.0/8"}}};
  std::map<std::string, Listener> named;
  std::map<std::string, std::vector<Retry>> nested;
  std::optional<std::uint32_t> limit;
  std::optional<Retry> other;
  TenantName tenant{"default"};
  std::string token;
  bool tracking = false;
  bool operator==(const Demo&) const = default;
};
void describe(Fields& fields, Demo& demo) {
  fields.add("cluster", demo.cluster, "Name of the cluster.");
  fields.add("fast", demo.fast, "Whether to hurry.");
  fields.add("port", demo.port, "Port of the world.").range(1, 65535).restart();
  fields.add("offset", demo.offset, "A number below zero.");
  fields.add("max_message_bytes", demo.max_message_bytes, "Longest message.")
      .bytes()
      .range(1024, 1u << 30);
  fields.add("data_dir", demo.data_dir, "Where everything is.").restart();
  fields.add("retry", demo.retry, "When to try again.");
  fields.add("smtp", demo.smtp, "SMTP listeners.");
  fields.add("named", demo.named, "Named listeners.");
  fields.add("nested", demo.nested, "Lists in a map.");
  fields.add("limit", demo.limit, "A limit; none by default.").range(1, 10);
  fields.add("other", demo.other, "An optional struct.");
  fields.add("tenant", demo.tenant, "The tenant.");
  fields.add("token", demo.token, "A secret.").hide();
  fields.add("tracking", demo.tracking, "Whether to count opens.").not_yet("opens are not counted");
}

std::string problems_of(std::string_view text) {
  Demo demo;
  return read_text(text, "demo.yaml", demo).to_string();
}

TEST(Config, EmptyFileGivesTheDefaults) {
  for (const std::string_view text :
       {"", "# nothing\n", "---\n", "{}", "~", "retry:\nsmtp_: ~\n"}) {
    Demo demo;
    const Outcome outcome = read_text(text, "demo.yaml", demo);
    if (text.contains("smtp_")) {
      EXPECT_FALSE(outcome.ok());
      continue;
    }
    EXPECT_TRUE(outcome.ok()) << text << outcome.to_string();
    demo.data_dir = "./data";  // made absolute
    EXPECT_EQ(demo, Demo{}) << text;
  }
}

TEST(Config, ReadsEveryShape) {
  Demo demo;
  const Outcome outcome = read_text(R"(
cluster: 7
fast: true
port: 2525
offset: -12
max_message_bytes: 2MiB
data_dir: /var/lib/godwit
retry: {first: 1h30m, factor: 1.5, max: 5d}
smtp:
  - {listen: "127.0.0.1:0", kind: inbound}
  - listen: "[::1]:25"
    trusted_networks: [127.0.0.0/8, "::1/128"]
named: {a.b: {listen: "mail.example:465"}}
nested: {x: [{factor: 3}], y: []}
limit: 10
other: {factor: 4}
tenant: acme
)",
                                    "demo.yaml", demo);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  EXPECT_EQ(demo.cluster, "7");
  EXPECT_TRUE(demo.fast);
  EXPECT_EQ(demo.port, 2525);
  EXPECT_EQ(demo.offset, -12);
  EXPECT_EQ(demo.max_message_bytes, 2u << 20);
  EXPECT_EQ(demo.data_dir, "/var/lib/godwit");
  EXPECT_EQ(demo.retry, (Retry{90min, 1.5, 120h}));
  EXPECT_EQ(demo.smtp,
            (std::vector<Listener>{{{"127.0.0.1", 0}, Kind::kInbound, {}},
                                   {{"::1", 25}, Kind::kRelay, {"127.0.0.0/8", "::1/128"}}}));
  EXPECT_EQ(demo.named,
            (std::map<std::string, Listener>{{"a.b", {{"mail.example", 465}, Kind::kRelay, {}}}}));
  EXPECT_EQ(demo.nested["x"].at(0).factor, 3);
  EXPECT_TRUE(demo.nested["y"].empty());
  EXPECT_EQ(demo.limit, 10u);
  EXPECT_EQ(demo.other, (Retry{.factor = 4}));
  EXPECT_EQ(demo.tenant.text(), "acme");
}

struct Case {
  std::string_view yaml;
  std::string_view problem;  // without "demo.yaml:"
};

class ConfigProblem : public testing::TestWithParam<Case> {};

TEST_P(ConfigProblem, IsSaidExactly) {
  EXPECT_EQ(problems_of(GetParam().yaml), "demo.yaml:" + std::string(GetParam().problem) + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigProblem,
    testing::Values(
        Case{"clutser: x", "1:1: clutser: unknown key; did you mean `cluster`?"},
        Case{"retry: {frist: 1m}", "1:9: retry.frist: unknown key; did you mean `first`?"},
        Case{"smtp:\n  - listen: a:1\n    knd: relay",
             "3:5: smtp[0].knd: unknown key; did you mean `kind`?"},
        Case{"retry: {zzzzzz: 1}",
             "1:9: retry.zzzzzz: unknown key; known here: first, factor, max"},
        Case{"named: {n: {lisen: a:1, listen: a:1}}",
             "1:13: named.n.lisen: unknown key; did you mean `listen`?"},
        Case{"fast: true\nfast: false", "2:1: duplicate key `fast`; it is already on line 1"},
        Case{"retry: {max: 4h, max: 5h}", "1:18: duplicate key `max`; it is already on line 1"},
        Case{"[a]: b", "1:1: a key is a list; a key is text"},
        Case{"smtp: [{kind: relay}]", "1:8: smtp[0].listen: is missing; Where to listen."}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConfigProblem,
    testing::Values(
        Case{"just text", "1:1: this is text; a map is expected"},
        Case{"- a", "1:1: this is a list; a map is expected"},
        Case{"cluster: [a]", "1:10: cluster: this is a list; text is expected"},
        Case{"fast: true\ncluster:", "2:1: cluster: this is nothing; text is expected"},
        Case{"retry: 5", "1:8: retry: this is text; a map is expected"},
        Case{"smtp: 5", "1:7: smtp: this is text; a list is expected"},
        Case{"smtp: [5]", "1:8: smtp[0]: this is text; a map is expected"},
        Case{"named: [5]", "1:8: named: this is a list; a map is expected"},
        Case{"a: b: c", "1:5: not YAML: illegal map value"},
        Case{"fast: true\n---\nfast: false", "3:1: a second document; one file is one document"},
        Case{"fast: !foo true", "1:7: the tag `!foo` is not known here; remove the tag"}));

INSTANTIATE_TEST_SUITE_P(
    Values, ConfigProblem,
    testing::Values(
        Case{"fast: yes", "1:7: fast: `yes` is not a switch; true or false"},
        Case{"fast: \"true\"", "1:7: fast: `true` in quotes is text; true or false without quotes"},
        Case{"port: 0", "1:7: port: `0` is out of range; 1 to 65535"},
        Case{"port: 65536", "1:7: port: `65536` is out of range; 1 to 65535"},
        Case{"port: -1", "1:7: port: `-1` is out of range; 1 to 65535"},
        Case{"port: 25x", "1:7: port: `25x` is not a whole number; 1 to 65535"},
        Case{"port: \"25\"", "1:7: port: `25` in quotes is text; whole number without quotes"},
        Case{"offset: 2147483648",
             "1:9: offset: `2147483648` is out of range; -2147483648 to 2147483647"},
        Case{"limit: 11", "1:8: limit: `11` is out of range; 1 to 10"},
        Case{"max_message_bytes: 1023",
             "1:20: max_message_bytes: `1023` is out of range; 1KiB to 1GiB"},
        Case{"max_message_bytes: 35Mb",
             "1:20: max_message_bytes: `35Mb` is not a size; 1KiB to 1GiB"},
        Case{"retry: {first: 20}",
             "1:16: retry.first: `20` has no unit; a number and a unit (ms, s, m, h, d), such as "
             "20m or 1h30m"},
        Case{"retry: {first: 20 m}",
             "1:16: retry.first: `20 m` has no unit; a number and a unit (ms, s, m, h, d), such as "
             "20m or 1h30m"},
        Case{"retry: {first: 5w}",
             "1:16: retry.first: `5w` is not a duration; a number and a unit (ms, s, m, h, d), "
             "such as 20m or 1h30m"},
        Case{"retry: {first: 30m1h}",
             "1:16: retry.first: `30m1h` is not a duration; a number and a unit (ms, s, m, h, d), "
             "such as 20m or 1h30m"},
        Case{"retry: {first: 500ms}",
             "1:16: retry.first: `500ms` is too fine for this key; a multiple of 1s"},
        Case{"retry: {first: 2d}", "1:16: retry.first: `2d` is out of range; 1s to 1d"},
        Case{"retry: {factor: fast}", "1:17: retry.factor: `fast` is not a number; 1 to 10"},
        Case{"retry: {factor: .inf}", "1:17: retry.factor: `.inf` is not a number; 1 to 10"},
        Case{"retry: {max: 1m}", "1:14: retry.max: is shorter than `first`; at least 20m"},
        Case{"smtp: [{listen: a:1, kind: relai}]",
             "1:28: smtp[0].kind: `relai` is not known; did you mean `relay`?"},
        Case{"smtp: [{listen: a:1, kind: xx}]",
             "1:28: smtp[0].kind: `xx` is not known; one of relay, submission, inbound"},
        Case{"smtp: [{listen: localhost}]",
             "1:17: smtp[0].listen: `localhost` has no port; host:port, such as 127.0.0.1:2525 or "
             "[::1]:2525"},
        Case{"smtp: [{listen: \"::1:25\"}]",
             "1:17: smtp[0].listen: `::1:25` has an IPv6 address without brackets; host:port, such "
             "as 127.0.0.1:2525 "
             "or [::1]:2525"},
        Case{"smtp: [{listen: \":25\"}]",
             "1:17: smtp[0].listen: `:25` has no valid host; host:port, such as 127.0.0.1:2525 or "
             "[::1]:2525"},
        Case{"smtp: [{listen: \"a:65536\"}]",
             "1:17: smtp[0].listen: `a:65536` has no valid port; a port from 0 to 65535; 0 means "
             "any free one"}));

TEST(Config, SaysAllProblemsAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(
      problems_of("port: 0\nfast: maybe\nretry:\n  factor: 0\n  x: 1\nfast: true\nclustre: a\n"),
      "demo.yaml:1:7: port: `0` is out of range; 1 to 65535\n"
      "demo.yaml:2:7: fast: `maybe` is not a switch; true or false\n"
      "demo.yaml:4:11: retry.factor: `0` is out of range; 1 to 10\n"
      "demo.yaml:5:3: retry.x: unknown key; known here: first, factor, max\n"
      "demo.yaml:6:1: duplicate key `fast`; it is already on line 2\n"
      "demo.yaml:7:1: clustre: unknown key; did you mean `cluster`?\n");
}

TEST(Config, HostileYamlIsBounded) {
  std::string deep(1000, '[');
  EXPECT_THAT(problems_of(deep), testing::HasSubstr("nested too deeply; at most 32 levels"));

  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const char before = static_cast<char>(c - 1);
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i == 0 ? "*" : ",*") + before;
    bomb += "]\n";
  }
  EXPECT_THAT(problems_of(bomb), testing::HasSubstr("too many values"));
  EXPECT_THAT(problems_of(std::string(kFileBytesMax + 1, ' ')),
              testing::HasSubstr("the file is too long"));
  EXPECT_THAT(problems_of("fast: \"" + std::string(100000, '\x01') + "\""),
              testing::Not(testing::HasSubstr("\x01")));
  EXPECT_THAT(problems_of("fast: \x1b[31m"), testing::Not(testing::HasSubstr("\x1b")));
  EXPECT_THAT(problems_of("a: &a [*a]"), testing::HasSubstr("an alias"));
}

TEST(Config, AliasesAreResolved) {
  Demo demo;
  const Outcome outcome =
      read_text("retry: &r {factor: 5}\nother: *r\nnested: {x: [*r, *r]}\n", "demo.yaml", demo);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  EXPECT_EQ(demo.other->factor, 5);
  EXPECT_EQ(demo.nested["x"].size(), 2u);
}

TEST(Config, PathsAreRelativeToTheFile) {
  const TestDirectory directory;
  const auto file = directory.write("demo.yaml", "data_dir: ../queue\n");
  Demo demo;
  ASSERT_TRUE(read_file(file, demo).ok());
  EXPECT_EQ(demo.data_dir, directory.path().parent_path() / "queue");

  directory.write("demo.yaml", "fast: true\n");
  Demo defaulted;
  ASSERT_TRUE(read_file(file, defaulted).ok());
  EXPECT_EQ(defaulted.data_dir, directory / "data") << "the default too";

  EXPECT_EQ(read_file(directory / "none.yaml", demo).to_string(),
            (directory / "none.yaml").string() + ": cannot be read: No such file or directory\n");
  EXPECT_THAT(read_file(directory.path(), demo).to_string(),
              testing::HasSubstr("cannot be read: Is a directory"));
}

TEST(Config, WhatIsNotBuiltYetGivesANotice) {
  Demo demo;
  const Outcome outcome = read_text("fast: true\ntracking: true\n", "demo.yaml", demo);
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome.notices.size(), 1u);
  EXPECT_EQ(outcome.notices[0].to_string(),
            "demo.yaml:2:11: tracking: accepted, but not in effect yet: opens are not counted");
}

TEST(Config, PrintedDefaultsAreReadBackAsTheDefaults) {
  Demo demo;
  demo.cluster = "a \"b\"\n: #\\";
  demo.other = Retry{.factor = 9};
  demo.named["x y: {"].listen = {"::1", 25};
  demo.nested["n"] = {Retry{}, Retry{.factor = 3.25}};
  demo.data_dir = "/x y/#1";
  Fields fields;
  describe(fields, demo);
  const std::string yaml = print_yaml(fields);
  Demo again;
  const Outcome outcome = read_text(yaml, "demo.yaml", again);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string() << yaml;
  EXPECT_EQ(again, demo) << yaml;
}

TEST(Config, PrintedYamlExplainsEachKey) {
  Demo demo;
  Fields fields;
  describe(fields, demo);
  const std::string yaml = print_yaml(fields);
  EXPECT_THAT(yaml, testing::HasSubstr(
                        "# Port of the world. (whole number, 1 to 65535; restart)\nport: 25\n"));
  EXPECT_THAT(yaml, testing::HasSubstr("max_message_bytes: 35MiB\n"));
  EXPECT_THAT(yaml, testing::HasSubstr("# When to try again.\n"
                                       "retry:\n"
                                       "  # Delay before the second attempt. (duration, 1s to 1d)\n"
                                       "  first: 20m\n"));
  EXPECT_THAT(yaml, testing::HasSubstr(
                        "smtp: [{listen: \"127.0.0.1:2525\", kind: submission, trusted_networks: "
                        "[10.0.0.0/8], password: \"\"}]\n"
                        "  # each entry:\n"));
  EXPECT_THAT(yaml, testing::HasSubstr("# Who may use it. (one of relay, submission, inbound)\n"));
  EXPECT_THAT(yaml,
              testing::HasSubstr("# Whether to count opens. (true or false; not in effect yet)\n"));
}

TEST(Config, TheReferenceNamesEveryKey) {
  Demo demo;
  Fields fields;
  describe(fields, demo);
  const std::string reference = print_reference(fields);
  for (const std::string_view line : {
           "| `port` | whole number, 1 to 65535 | `25` | Port of the world. (restart) |\n",
           "| `retry` | | | When to try again. |\n",
           "| `retry.first` | duration, 1s to 1d | `20m` | Delay before the second attempt. |\n",
           "| `smtp[].listen` | host:port |  | Where to listen. (required) |\n",
           "| `named.NAME.kind` | one of `relay`, `submission`, `inbound` | `relay` | Who may use "
           "it. |\n",
       }) {
    EXPECT_THAT(reference, testing::HasSubstr(std::string(line)));
  }
}

TEST(Config, DifferencesNameWhatAReloadChanges) {
  Demo before;
  Demo after;
  after.port = 26;
  after.retry.factor = 3;
  after.smtp.clear();
  after.token = "hush";
  after.other = Retry{};
  Fields fields_before;
  Fields fields_after;
  describe(fields_before, before);
  describe(fields_after, after);
  std::string text;
  for (const Change& change : differences(fields_before, fields_after)) {
    text += change.key + " " + change.before + " -> " + change.after +
            (change.needs_restart ? " !" : "") + "\n";
  }
  EXPECT_EQ(text,
            "port 25 -> 26 !\n"
            "retry.factor 2 -> 3\n"
            "smtp [{listen: \"127.0.0.1:2525\", kind: submission, trusted_networks: [10.0.0.0/8], "
            "password: (secret)}] "
            "-> []\n"
            "other null -> {first: 20m, factor: 2, max: 4h}\n"
            "token (secret) -> (secret)\n");
}

TEST(Nearest, FindsSlipsAndNothingElse) {
  const std::vector<std::string_view> known{"listen", "kind", "tls", "certificate"};
  EXPECT_EQ(nearest("lisetn", known), "listen");
  EXPECT_EQ(nearest("certifcate", known), "certificate");
  EXPECT_EQ(nearest("tsl", known), "tls");
  EXPECT_EQ(nearest("password", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(10000, 'a'), known), std::nullopt);
}

TEST(Scalars, DurationsAndSizesRoundTrip) {
  for (const auto ms : {0ms, 1ms, 1500ms, 60000ms, 5400000ms, 432000000ms, 90061001ms}) {
    EXPECT_EQ(parse_duration(render_duration(ms)), ms) << render_duration(ms);
  }
  for (const std::uint64_t size : {0ull, 1ull, 1023ull, 1024ull, 36700160ull, 1ull << 40}) {
    EXPECT_EQ(parse_bytes(render_bytes(size)), size) << render_bytes(size);
  }
  EXPECT_EQ(parse_bytes("1 MB"), 1'000'000u);
  EXPECT_FALSE(parse_bytes("99999999999TiB"));
  EXPECT_FALSE(parse_bytes("9999999999999999999"));
  EXPECT_FALSE(parse_duration("9999999999d"));
  EXPECT_FALSE(parse_duration(""));
  EXPECT_FALSE(parse_duration("-1s"));
}

}  // namespace
}  // namespace godwit::config
