#include "cli/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "common/config/print.h"

namespace godwit::cli {
namespace {

using ::testing::HasSubstr;

// The contract of docs/architecture.md, as it stands there.
constexpr std::string_view kContract = R"(
cluster: demo
data_dir: ./data
log: {kind: embedded}              # or kafka, with kafka: {brokers: [...], topic_prefix: godwit., replication: 3, ...}
ingress:
  smtp:
    - {listen: "127.0.0.1:2525", kind: relay, trusted_networks: [127.0.0.0/8]}
    - {listen: "127.0.0.1:2587", kind: submission}
    - {listen: "127.0.0.1:2465", kind: submission, tls: implicit}
    - {listen: "127.0.0.1:2526", kind: inbound}      # port 25: bounces, feedback, replies
  http: {listen: "127.0.0.1:8025"}
  tls: {certificate: tls.crt, key: tls.key}
  max_message_bytes: 36700160
dns: {servers: []}                 # empty: the system's
sender:
  smtp_port: 25
  routes: [{domain: "example.test", to: "127.0.0.1:2530"}]
  retry: {first: 20m, factor: 2, max: 4h, age: 5d}
bounce: {domain: bounces.example.test}
admin: {listen: "127.0.0.1:8026"}
observe: {listen: "127.0.0.1:8027"}
control: {file: control.yaml}
)";

TEST(Config, TheContractIsAccepted) {
  Config config;
  const config::Outcome outcome = config::read_text(kContract, "/etc/godwit/godwit.yaml", config);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  EXPECT_EQ(config.data_dir, "/etc/godwit/data");
  EXPECT_EQ(config.control.file, "/etc/godwit/control.yaml");
  EXPECT_EQ(config.ingress.tls.certificate, "/etc/godwit/tls.crt");
  EXPECT_EQ(config.ingress.smtp.size(), 4u);
  EXPECT_EQ(config.ingress.max_message_bytes, 36'700'160u);
  EXPECT_EQ(config.sender.routes.at(0).to, "127.0.0.1:2530");
  EXPECT_EQ(config.observe.listen, (config::HostPort{"127.0.0.1", 8027}));
}

// A write that fits no segment would be refused with 451 for ever.
TEST(Config, SegmentsAreLargeEnoughForTheLargestMail) {
  const auto problem = [](std::string_view yaml) -> std::string {
    Config config;
    const config::Outcome outcome = config::read_text(yaml, "g.yaml", config);
    return outcome.ok() ? "" : outcome.to_string();
  };
  EXPECT_EQ(problem("log: {}"), "");
  EXPECT_THAT(problem("log:\n  embedded:\n    segment_bytes: 16MiB\n"),
              HasSubstr("g.yaml:3:20: log.embedded.segment_bytes: 16MiB is too small for "
                        "ingress.max_message_bytes of 35MiB: such mail would never be taken; at "
                        "least 48MiB, or ingress.max_message_bytes of at most 11472KiB"));
  // As it says.
  EXPECT_EQ(problem("log: {embedded: {segment_bytes: 48MiB}}"), "");
  EXPECT_EQ(problem("log: {embedded: {segment_bytes: 16MiB}}\n"
                    "ingress: {max_message_bytes: 11472KiB}"),
            "");
  EXPECT_NE(problem("log: {embedded: {segment_bytes: 16MiB}}\n"
                    "ingress: {max_message_bytes: 11473KiB}"),
            "");
  // The other key alone: where the segments' would stand.
  EXPECT_THAT(problem("cluster: a\ningress: {max_message_bytes: 64MiB}\n"),
              HasSubstr("log.embedded.segment_bytes: 64MiB is too small"));
  EXPECT_THAT(problem("log: {embedded: {segment_bytes: 8MiB}}\n"
                      "ingress: {max_message_bytes: 1MiB, limits: {recipients_max: 20000}}"),
              HasSubstr("ingress.limits.recipients_max of at most 3072"));
  EXPECT_EQ(
      problem("log: {kind: kafka, embedded: {segment_bytes: 4MiB}, kafka: {brokers: [\"a:1\"]}}"),
      "");
}

TEST(Config, PartitionsAreGivenBackBeforeTheyAreTaken) {
  const auto problem = [](std::string_view kafka, std::string_view sender) -> std::string {
    Config config;
    const std::string yaml = fmt::format(
        "log:\n  kind: kafka\n  kafka: {{brokers: [\"a:1\"]{}}}\nsender: {{{}}}\n", kafka, sender);
    const config::Outcome outcome = config::read_text(yaml, "g.yaml", config);
    return outcome.ok() ? "" : outcome.to_string();
  };
  EXPECT_EQ(problem("", ""), "") << "the defaults";
  EXPECT_EQ(problem("", "drain_wait: 29999ms"), "");
  EXPECT_THAT(
      problem("", "drain_wait: 30s"),
      HasSubstr("g.yaml:4:22: sender.drain_wait: 30s is not below log.kafka.revocation of 30s"));
  EXPECT_THAT(problem(", revocation: 20s", ""), HasSubstr("sender.drain_wait: 20s is not below"));
  EXPECT_EQ(problem(", revocation: 5s", "drain_wait: 3s"), "");
  Config embedded;
  EXPECT_TRUE(config::read_text("sender: {drain_wait: 10m}", "g.yaml", embedded).ok())
      << "nobody takes them there";
}

TEST(Config, KafkaIsAccepted) {
  Config config;
  const config::Outcome outcome = config::read_text(
      "log: {kind: kafka, kafka: {brokers: [\"a:9092\"], topic_prefix: godwit., replication: 3}}",
      "godwit.yaml", config);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  EXPECT_TRUE(outcome.notices.empty());
  EXPECT_EQ(config.log.kind, LogKind::kKafka);
  EXPECT_EQ(config.log.kafka.brokers, std::vector<std::string>{"a:9092"});
}

TEST(Config, PrintedDefaultsAreTheDefaults) {
  Config config;
  const config::Outcome outcome = config::read_text(print_defaults(), "godwit.yaml", config);
  ASSERT_TRUE(outcome.ok()) << outcome.to_string();
  Config defaults;
  ASSERT_TRUE(config::read_text("", "godwit.yaml", defaults).ok());
  config::Fields read;
  config::Fields expected;
  describe(read, config);
  describe(expected, defaults);
  for (const config::Change& change : config::differences(expected, read)) {
    ADD_FAILURE() << change.key << ": " << change.before << " became " << change.after;
  }
}

TEST(Config, TheDocumentedKeysAreTheKeys) {
  std::ifstream in(GODWIT_SOURCE_DIR "/docs/configuration.md");
  const std::string page((std::istreambuf_iterator<char>(in)), {});
  const std::string reference = print_configuration_reference();
  EXPECT_TRUE(page.ends_with(reference))
      << "docs/configuration.md is old; put the output of `godwit defaults --markdown` at its end";
}

}  // namespace
}  // namespace godwit::cli
