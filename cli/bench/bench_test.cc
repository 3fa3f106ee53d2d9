// Source to sink over loopback: what one side says it sent, the other must say it took.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/bench/report.h"
#include "cli/bench/sink.h"
#include "cli/bench/source.h"
#include "common/base/test_directory.h"
#include "common/base/test_eventually.h"

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;

class BenchTest : public testing::Test {
 protected:
  std::unique_ptr<Sink> start(std::string_view script = "{}", TlsMode tls = TlsMode::kNone) {
    SinkOptions options;
    options.threads = 2;
    options.tls = tls;
    options.script = *Script::parse(script, "test.yaml");
    options.ledger_file = folder / "sink";
    options.seed = 5;
    auto sink = Sink::start(std::move(options));
    EXPECT_TRUE(sink) << sink.error().to_string();
    return *std::move(sink);
  }
  SourceOptions options_for(const Sink& sink, std::uint64_t messages = 200) const {
    SourceOptions options;
    options.to = sink.address();
    options.threads = 2;
    options.connections = 8;
    options.messages = messages;
    options.ledger_file = folder / "source";
    return options;
  }
  static SourceReport run(SourceOptions options) {
    const auto source = Source::create(std::move(options));
    EXPECT_TRUE(source) << source.error().to_string();
    auto report = (*source)->run();
    EXPECT_TRUE(report) << report.error().to_string();
    return *std::move(report);
  }
  // Lines by Message-ID; a second line for one id fails the test.
  std::map<std::string, nlohmann::json> ledger(const char* name,
                                               const std::string& outcome = "accepted") const {
    std::map<std::string, nlohmann::json> lines;
    std::ifstream file(folder / name);
    for (std::string line; std::getline(file, line);) {
      nlohmann::json json = nlohmann::json::parse(line);
      if (json["outcome"] != outcome) continue;
      const std::string id = json["message_id"];
      EXPECT_TRUE(lines.emplace(id, std::move(json)).second) << id;
    }
    return lines;
  }
  // What the source was told was taken is what the sink says it took.
  void expect_equal_ledgers(std::size_t count) const {
    const auto sent = ledger("source");
    const auto taken = ledger("sink");
    EXPECT_EQ(sent.size(), count);
    ASSERT_EQ(taken.size(), count);
    for (const auto& [id, line] : sent) {
      ASSERT_TRUE(taken.contains(id)) << id;
      EXPECT_EQ(taken.at(id)["recipients"], line["recipients"]);
      EXPECT_EQ(taken.at(id)["reply"], line["reply"]);
    }
  }

  TestDirectory folder;
};

TEST_F(BenchTest, EveryMessageArrivesOnceHoweverItIsPipelined) {
  for (const Pipelining pipelining :
       {Pipelining::kNone, Pipelining::kEnvelope, Pipelining::kAhead}) {
    const auto sink = start();
    SourceOptions options = options_for(*sink, 300);
    options.pipelining = pipelining;
    options.recipients = 3;
    options.messages_per_connection = 7;
    options.domains = {"a.test", "b.test"};
    const SourceReport report = run(options);
    EXPECT_EQ(report.accepted, 300U);
    EXPECT_EQ(report.recipients_accepted, 900U);
    EXPECT_EQ(report.refused + report.unknown + report.cut, 0U);
    EXPECT_GE(report.connections, 300U / 7);
    EXPECT_EQ(report.dot.count(), 300U);
    ASSERT_TRUE(sink->stop());
    EXPECT_EQ(sink->counters().messages_accepted, 300U);
    EXPECT_EQ(sink->counters().bytes, report.bytes);
    EXPECT_EQ(sink->counters().connections, report.connections);
    expect_equal_ledgers(300);
    std::filesystem::remove(folder / "sink");
    std::filesystem::remove(folder / "source");
  }
}

TEST_F(BenchTest, SendersTakeTurnsAtEachDomain) {
  const auto sink = start();
  SourceOptions options = options_for(*sink, 24);
  options.sender = "ann@sender.test";
  options.sender_count = 3;
  options.domains = {"a.test", "b.test"};
  EXPECT_EQ(run(options).accepted, 24U);
  ASSERT_TRUE(sink->stop());
  std::map<std::pair<std::string, std::string>, int> ways;
  for (const auto& [id, line] : ledger("sink")) {
    const std::string recipient = line["recipients"][0];
    ++ways[{line["sender"], recipient.substr(recipient.find('@'))}];
  }
  EXPECT_EQ(ways.size(), 6U);
  for (const auto& [way, messages] : ways) EXPECT_EQ(messages, 4) << way.first << way.second;
  EXPECT_TRUE(ways.contains({"ann@d2.sender.test", "@b.test"}));
  expect_equal_ledgers(24);

  options.sender = "";
  EXPECT_FALSE(Source::create(options));
}

TEST_F(BenchTest, OverTls) {
  for (const TlsMode tls : {TlsMode::kStartTls, TlsMode::kImplicit}) {
    const auto sink = start("{}", tls);
    SourceOptions options = options_for(*sink, 60);
    options.tls = tls;
    options.username = "acme";
    options.password = "secret";
    options.ledger_file.clear();
    options.messages_per_connection = 5;
    EXPECT_EQ(run(options).accepted, 60U);
    ASSERT_TRUE(sink->stop());
    EXPECT_EQ(sink->counters().tls_connections, sink->counters().connections);
    EXPECT_FALSE(sink->certificate_pem().empty());
  }
}

TEST_F(BenchTest, SizesAreKept) {
  for (const std::uint64_t bytes :
       {std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{300'000}}) {
    const auto sink = start();
    SourceOptions options = options_for(*sink, 5);
    options.bytes = bytes;
    EXPECT_EQ(run(options).accepted, 5U);
    ASSERT_TRUE(sink->stop());
    for (const auto& [id, line] : ledger("sink")) {
      const auto got = line["bytes"].get<std::uint64_t>();
      if (bytes >= 1000) {
        EXPECT_GE(got, bytes);
        EXPECT_LE(got, bytes + 1);
      }
    }
    std::filesystem::remove(folder / "sink");
  }
}

TEST_F(BenchTest, RefusalsAreCountedWhereTheyHappen) {
  for (const Pipelining pipelining :
       {Pipelining::kNone, Pipelining::kEnvelope, Pipelining::kAhead}) {
    const auto sink = start(R"(
rules:
  - {stage: mail, skip: 10, first: 10, reply: 451 4.3.0 Not now}
  - {stage: rcpt, recipient: "*-1@*", reply: 550 5.1.1 No such user}
  - {stage: data, skip: 20, first: 5, reply: 451 4.3.0 Not now}
  - {stage: dot, skip: 30, first: 7, reply: 552 5.3.4 Too large}
)");
    SourceOptions options = options_for(*sink, 100);
    options.recipients = 2;
    options.pipelining = pipelining;
    const SourceReport report = run(options);
    EXPECT_EQ(report.refusals.at("mail 451"), 10U);
    EXPECT_EQ(report.refusals.at("data 451"), 5U);
    EXPECT_EQ(report.refusals.at("dot 552"), 7U);
    EXPECT_EQ(report.refused, 22U);
    EXPECT_EQ(report.accepted, 78U);
    EXPECT_EQ(report.recipients_refused, 90U);
    EXPECT_EQ(report.recipients_accepted, 78U);
    ASSERT_TRUE(sink->stop());
    EXPECT_EQ(sink->counters().messages_refused, 7U);
    expect_equal_ledgers(78);
    EXPECT_EQ(ledger("sink", "refused").size(), 7U);
    std::filesystem::remove(folder / "sink");
    std::filesystem::remove(folder / "source");
  }
}

TEST_F(BenchTest, DroppedConnectionsAreCutOrUnknown) {
  const auto sink = start(R"(
rules:
  - {stage: connect, every: 5, drop: close}
  - {stage: mail, skip: 20, first: 3, drop: close}
  - {stage: content, skip: 30, first: 4, after_bytes: 2000, drop: reset}
  - {stage: dot, skip: 40, first: 5, drop: close}
  - {stage: dot, skip: 10, first: 2, reply: 421 4.3.2 Going down, drop: close}
)");
  SourceOptions options = options_for(*sink);
  options.ledger_all = true;
  options.messages_per_connection = 10;
  const SourceReport report = run(options);
  EXPECT_EQ(report.accepted + report.refused + report.unknown + report.cut, 200U);
  EXPECT_EQ(report.refused, 2U);
  EXPECT_EQ(report.cut, 3U);
  EXPECT_EQ(report.unknown, 9U)
      << "where in the content or behind it the connection ended the source cannot know";
  EXPECT_GT(report.connections_failed, 0U);
  ASSERT_TRUE(sink->stop());
  EXPECT_EQ(sink->counters().messages_dropped, 5U);
  EXPECT_EQ(ledger("sink", "dropped").size(), 5U);
  expect_equal_ledgers(report.accepted);
  EXPECT_EQ(ledger("source", "unknown").size(), 9U);
  EXPECT_EQ(ledger("source", "cut").size(), 3U);
}

TEST_F(BenchTest, GreylistedRecipientsGetInTheSecondTime) {
  const auto sink = start("rules: [{stage: rcpt, greylist: 1, reply: 451 4.7.1 Greylisted}]");
  SourceOptions options = options_for(*sink, 20);
  EXPECT_EQ(run(options).refused, 20U);
  EXPECT_EQ(run(options).accepted, 20U);  // the same addresses again
}

TEST_F(BenchTest, ARateIsKept) {
  const auto sink = start();
  SourceOptions options = options_for(*sink, 0);
  options.rate = 200;
  options.duration = 500ms;
  const SourceReport report = run(options);
  EXPECT_LE(report.accepted, 120U);  // timers are 16 ms apart
  EXPECT_GE(report.accepted, 50U);   // a busy machine may be late
}

TEST_F(BenchTest, StopEndsARunWithoutAnEnd) {
  const auto sink =
      start("rules: [{stage: dot, skip: 50, delay: 1h}]");  // and messages under way that hang
  const auto source = Source::create(options_for(*sink, 0));
  std::thread stopper([&] {
    EXPECT_TRUE(eventually([&] { return sink->counters().messages_accepted >= 50; }));
    (*source)->stop();
    (*source)->stop();
  });
  const auto report = (*source)->run();
  stopper.join();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->accepted, 50U);
  EXPECT_LE(report->unknown, 8U);
  EXPECT_GE(report->unknown, 1U);
}

TEST_F(BenchTest, NobodyThereIsGivenUp) {
  net::Address gone;
  {
    const auto sink = start();
    gone = sink->address();
  }
  SourceOptions options;
  options.to = gone;
  options.messages = 10;
  options.patience = 250ms;
  const SourceReport report = run(options);
  EXPECT_TRUE(report.gave_up);
  EXPECT_EQ(report.accepted, 0U);
  EXPECT_GT(report.connections_failed, 0U);
}

TEST_F(BenchTest, AStoppedSinkEndsDelaysAndIdleSessions) {
  const auto sink = start("rules: [{stage: mail, delay: 1h}]");
  SourceOptions options = options_for(*sink, 8);
  options.patience = 100ms;
  const auto source = Source::create(options);
  std::thread stopper([&] {
    EXPECT_TRUE(eventually([&] { return sink->counters().connections >= 8; }));
    EXPECT_TRUE(sink->stop());
  });
  const auto report = (*source)->run();
  stopper.join();
  EXPECT_EQ(report->accepted, 0U);
}

TEST_F(BenchTest, WhatCannotStartSaysWhy) {
  SinkOptions tls;
  tls.tls = TlsMode::kImplicit;
  tls.tls_files = {"/nowhere/tls.crt", "/nowhere/tls.key"};
  EXPECT_FALSE(Sink::start(std::move(tls)));
  SinkOptions ledger;
  ledger.ledger_file = "/nowhere/ledger";
  EXPECT_FALSE(Sink::start(std::move(ledger)));
  SourceOptions none;
  none.domains.clear();
  EXPECT_FALSE(Source::create(none));
}

TEST_F(BenchTest, ReportsAreJson) {
  const auto sink = start();
  const SourceReport report = run(options_for(*sink, 20));
  const nlohmann::json json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["accepted"], 20);
  EXPECT_EQ(json["latency"]["dot"]["count"], 20);
  EXPECT_GT(json["messages_per_second"], 0);
  EXPECT_NE(to_table(report).find("20 messages accepted"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(to_json(sink->counters()))["messages_accepted"], 20);
  EXPECT_EQ(nlohmann::json::parse(listening_json(sink->address(), TlsMode::kNone))["port"],
            sink->address().port);
}

}  // namespace
}  // namespace godwit::cli::bench
