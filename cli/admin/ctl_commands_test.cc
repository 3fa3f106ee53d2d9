// `ctl suspend|cancel|retry|commands|deliveries|trace|top` against a process: a real admin server over a fake log.

#include "cli/admin/ctl_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/admin/ctl_top.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/admin/log_records.h"
#include "common/admin/registry.h"
#include "common/admin/server.h"
#include "common/base/manual_clock.h"
#include "common/base/test_eventually.h"
#include "common/commands/command_book.h"
#include "common/log/fake_log.h"
#include "common/record/records.h"

namespace godwit::cli::admin {
namespace {

using commands::Kind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* kMessage = "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e";

class FakeProcess : public operate::Process {
 public:
  operate::NodeInfo info() override {
    return {.node = "mta1", .cluster = "demo", .roles = {{"sender", ""}, {"router", "starting"}}};
  }
  void drain(bool /*leave*/) override {}
  Result<std::vector<std::string>> reload() override { return std::vector<std::string>{}; }
  std::string log_level() override { return "info"; }
  Result<void> set_log_level(std::string_view /*level*/) override { return {}; }
};

class FakeQueue final : public operate::QueueSource, public operate::DeliverySource {
 public:
  Result<operate::QueueSummary> summary(const operate::QueueQuery&) override {
    operate::QueueSummary summary{.counts = {.waiting = 1, .suspended = 2, .bytes = 2048}};
    for (int i = 0; i < 40; ++i)
      summary.rows.push_back({.name = "site" + std::to_string(i) + " default", .counts = {}});
    return summary;
  }
  Result<operate::DeliveryList> deliveries(const commands::Filter& filter,
                                           std::size_t rows_max) override {
    operate::DeliveryList list;
    if (filter.message && filter.message->to_text() != kMessage) return list;
    list.add({.id = {*MessageId::from_text(kMessage), 0},
              .state = operate::DeliveryState::kSuspended,
              .tenant = "acme",
              .domain = "example.net",
              .recipients = 2,
              .bytes = 1536},
             rows_max);
    return list;
  }
  Result<std::optional<operate::DeliveryDetails>> delivery(const DeliveryId& id) override {
    if (id.message.to_text() != kMessage) return std::nullopt;
    return operate::DeliveryDetails{.row = {.id = id, .tenant = "acme"},
                                    .sender = "s@acme.example",
                                    .recipients = {{"r@example.net", 0, 1}},
                                    .attempts = 3,
                                    .last_reply = "450 later (MAIL)"};
  }
};

class OperatorOfQueues : public testing::Test {
 protected:
  OperatorOfQueues() {
    book_ = commands::CommandBook::open(log_, clock_, "mta1").value();
    EXPECT_TRUE(eventually([&] { return book_->problem().empty(); }));
    server_ = operate::Server::start({.listen = "127.0.0.1:0"}, {.process = &process_,
                                                                 .records = &records_,
                                                                 .queues = {&queue_},
                                                                 .deliveries = {&queue_},
                                                                 .commands = book_.get()})
                  .value();
    target_ = {.admin_address = server_->address(), .data_dir = {}, .embedded = false};
  }
  int order(const OrderOptions& options, bool json = false, std::string reason = "because") {
    out_.str({});
    err_.str({});
    return ctl_order({.json = json, .reason = std::move(reason)}, options, target_, clock_, io());
  }
  Io io() { return {out_, err_}; }
  nlohmann::json json() { return nlohmann::json::parse(out_.str()); }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  operate::LogRecords records_{log_, true};
  FakeProcess process_;
  FakeQueue queue_;
  std::unique_ptr<commands::CommandBook> book_;
  std::unique_ptr<operate::Server> server_;
  Target target_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(OperatorOfQueues, SuspendsAndUndoes) {
  EXPECT_EQ(order({.filter = {.tenant = "acme"}, .until = "2h"}, true), kDone);
  EXPECT_EQ(json()["touches"]["deliveries"], 1);
  EXPECT_EQ(json()["command"]["filter"], "tenant=acme");
  const std::string id = json()["command"]["id"];
  ASSERT_EQ(book_->current()->all().size(), 1U);
  EXPECT_EQ(book_->current()->all().front().until, clock_.now() + std::chrono::hours(2));
  out_.str({});
  EXPECT_EQ(ctl_commands_list({}, false, target_, clock_, io()), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("tenant=acme"));
  EXPECT_EQ(ctl_commands_undo({.reason = "done"}, id, target_, io()), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("undone: suspend tenant=acme"));
  EXPECT_EQ(ctl_commands_undo({.reason = "done"}, id, target_, io()), kAnswerIsNo);
  EXPECT_EQ(ctl_commands_undo({.reason = "done"}, "nobody", target_, io()), kAnswerIsNo);
  out_.str({});
  EXPECT_EQ(ctl_commands_list({}, false, target_, clock_, io()), kDone);
  EXPECT_THAT(out_.str(), StartsWith("No commands are in force"));
  out_.str({});
  EXPECT_EQ(ctl_commands_list({.json = true}, true, target_, clock_, io()), kDone);
  EXPECT_EQ(json()["commands"][0]["state"], "undone");
}

TEST_F(OperatorOfQueues, ACancelWithoutYesOnlySays) {
  const OrderOptions cancel{.kind = Kind::kCancel, .filter = {.domain = "example.net"}};
  EXPECT_EQ(order(cancel), kAnswerIsNo);
  EXPECT_THAT(out_.str(), StartsWith("1 deliveries (2 recipients, 1.5 KiB) fit now"));
  EXPECT_THAT(err_.str(), HasSubstr("--yes"));
  EXPECT_TRUE(book_->current()->empty());
  EXPECT_EQ(order(cancel, true), kAnswerIsNo);
  EXPECT_FALSE(json().contains("command"));
  OrderOptions sure = cancel;
  sure.yes = true;
  EXPECT_EQ(order(sure), kDone);
  EXPECT_EQ(book_->current()->all().size(), 1U);
}

TEST_F(OperatorOfQueues, WhatMakesNoSenseIsUsage) {
  const OrderOptions cases[] = {
      {},
      {.filter = {.of_class = "slow"}},
      {.filter = {.message = "nonsense"}},
      {.filter = {.tenant = "acme"}, .until = "soon"},
      {.kind = Kind::kCancel, .filter = {.source = "a"}, .yes = true},
  };
  for (const OrderOptions& each : cases) {
    EXPECT_EQ(order(each), kUsage) << err_.str();
    EXPECT_THAT(err_.str(), Not(IsEmpty()));
    EXPECT_THAT(out_.str(), IsEmpty()) << "nothing is counted";
  }
  EXPECT_EQ(order({.filter = {.tenant = "acme"}}, false, ""), kUsage);
  EXPECT_TRUE(book_->current()->empty());
}

TEST_F(OperatorOfQueues, NobodyIsThere) {
  server_->stop();
  EXPECT_EQ(order({.filter = {.tenant = "acme"}}), kCouldNotRun);
  EXPECT_EQ(ctl_deliveries_list({}, {}, 10, target_, clock_, io()), kCouldNotRun);
  EXPECT_EQ(ctl_top({}, target_, clock_, io()), kCouldNotRun);
}

TEST_F(OperatorOfQueues, ListsAndShowsDeliveries) {
  EXPECT_EQ(ctl_deliveries_list({}, {}, 10, target_, clock_, io()), kDone);
  EXPECT_THAT(out_.str(), HasSubstr(std::string(kMessage) + "/0"));
  EXPECT_THAT(out_.str(), HasSubstr("suspended"));
  EXPECT_THAT(err_.str(), HasSubstr("not counted: whoever else there is"))
      << "this process has no registry";
  out_.str({});
  EXPECT_EQ(ctl_deliveries_show({}, std::string(kMessage) + "/0", target_, io()), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("450 later (MAIL)"));
  EXPECT_THAT(out_.str(), HasSubstr("r@example.net  (held)"));
  EXPECT_EQ(ctl_deliveries_show({}, "nonsense", target_, io()), kUsage);
  EXPECT_EQ(ctl_deliveries_show({}, MessageId{}.to_text() + "/0", target_, io()), kCouldNotRun)
      << "somebody who was not asked may have it";
}

TEST_F(OperatorOfQueues, TracesAMessage) {
  const auto write = [&](v1::EventType type, std::int64_t time) {
    record::Event event;
    event.head.set_type(type);
    event.head.set_time_unix_ms(time);
    event.head.set_message_id(std::string(MessageId::from_text(kMessage)->octets()));
    std::vector<log::Append> records;
    records.push_back(
        {.where = {log::Topic::kEvents, 0}, .key = {}, .value = *record::encode(event)});
    log_.producer()->append(std::move(records),
                            [](Result<log::Written> done) { EXPECT_TRUE(done); });
  };
  write(v1::DEFERRED, 3'000);
  write(v1::ROUTED, 2'000);
  write(v1::ACCEPTED, 2'000);
  EXPECT_EQ(ctl_trace({.json = true}, kMessage, target_, io()), kDone);
  std::vector<std::string> types;
  for (const auto& event : json()["events"]) types.push_back(event["type"]);
  EXPECT_THAT(types, testing::ElementsAre("accepted", "routed", "deferred"));
  EXPECT_EQ(json()["queued"][0]["state"], "suspended");
  EXPECT_EQ(ctl_trace({}, "nonsense", target_, io()), kUsage);
  EXPECT_EQ(ctl_trace({}, MessageId{}.to_text(), target_, io()), kAnswerIsNo);
}

TEST_F(OperatorOfQueues, TopIsOneTableWhereThereIsNoTerminal) {
  EXPECT_EQ(ctl_top({}, target_, clock_, io()), kDone);
  EXPECT_THAT(out_.str(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(out_.str(), HasSubstr("1 waiting, 0 active, 0 parked, 2 suspended; 2.0 KiB"));
  EXPECT_THAT(out_.str(), HasSubstr("mta1: router is not ready: starting"));
  EXPECT_THAT(out_.str(), HasSubstr("site39"));
  out_.str({});
  EXPECT_EQ(ctl_top({.json = true}, target_, clock_, io()), kDone);
  EXPECT_EQ(json()["suspended_count"], 2);
}

TEST_F(OperatorOfQueues, TopDrawsAgainOverWhatWasThere) {
  EXPECT_EQ(ctl_top({.interval = std::chrono::milliseconds(1), .lines = 12, .rounds = 2}, target_,
                    clock_, io()),
            kDone);
  const std::string screens = out_.str();
  EXPECT_THAT(screens, StartsWith("\x1b[H"));
  EXPECT_THAT(screens, testing::EndsWith("\x1b[J"));
  EXPECT_LE(std::ranges::count(screens, '\n'), 2 * 11);
  EXPECT_THAT(screens, Not(HasSubstr("site39")));
}

// Another process of the cluster, and a sender that has stopped answering.
TEST_F(OperatorOfQueues, TopCountsTheMailOfAllSenders) {
  class OtherProcess final : public FakeProcess {
    operate::NodeInfo info() override { return {.node = "mta2", .roles = {{"sender", ""}}}; }
  } other_process;
  FakeQueue other_queue;
  auto other = operate::Server::start({.listen = "127.0.0.1:0"},
                                      {.process = &other_process, .queues = {&other_queue}})
                   .value();
  const auto registry = operate::Registry::open(log_, system_clock()).value();
  registry->beat({.node = "mta2", .roles = {{"sender", ""}}, .admin = other->address(), .pid = 1});
  auto here = operate::Server::start({.listen = "127.0.0.1:0"}, {.process = &process_,
                                                                 .queues = {&queue_},
                                                                 .commands = book_.get(),
                                                                 .registry = registry.get()})
                  .value();
  target_.admin_address = here->address();

  EXPECT_EQ(ctl_top({.json = true}, target_, clock_, io()), kDone);
  EXPECT_EQ(json()["waiting"], 2);
  EXPECT_EQ(json()["suspended_count"], 4);
  EXPECT_THAT(json()["not_counted"], IsEmpty());

  other->stop();
  out_.str({});
  EXPECT_EQ(ctl_top({}, target_, clock_, io()), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("1 waiting, 0 active, 0 parked, 2 suspended"));
  EXPECT_THAT(out_.str(), HasSubstr("not counted: mta2: " + other->address()));
}

TEST(TopScreen, RatesAreBetweenTwoLooks) {
  TopView before{.at = from_unix_ms(10'000), .ends = {{"accepted", 5}, {"accepted.urgent", 5}}};
  TopView now{.at = from_unix_ms(12'000), .ends = {{"accepted", 25}, {"accepted.urgent", 6}}};
  EXPECT_THAT(top_screen(now, before, 24), HasSubstr("accepted 10.5/s  routed 0.0/s"));
  EXPECT_THAT(top_screen(now, std::nullopt, 24), HasSubstr("accepted -  "));
  now.at = before.at;
  EXPECT_THAT(top_screen(now, before, 24), HasSubstr("accepted -  "));
}

TEST(TopScreen, NamesWhatIsInForce) {
  TopView view{.at = from_unix_ms(10'000)};
  view.commands.push_back({{.id = commands::CommandId("42"),
                            .kind = Kind::kCancel,
                            .filter = {.tenant = "acme"},
                            .reason = "wrong price"},
                           {.deliveries = 7},
                           1});
  view.nodes.push_back({.node = "mta2", .roles = {{"sender", "replaying"}}, .state = "up"});
  view.problems = {"topics: late"};
  const std::string screen = top_screen(view, std::nullopt, 40);
  EXPECT_THAT(screen, HasSubstr("wrong price"));
  EXPECT_THAT(screen, HasSubstr("sender!"));
  EXPECT_THAT(screen, HasSubstr("mta2: sender is not ready: replaying"));
  EXPECT_THAT(screen, HasSubstr("topics: late"));
  EXPECT_THAT(screen, HasSubstr("Nothing is queued."));
}

TEST(BytesText, HasTheUnitThatFits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(1572864), "1.5 MiB");
  EXPECT_EQ(bytes_text(5ull << 30), "5.0 GiB");
}

TEST(ParseUntil, ALengthIsAhead) {
  const Timestamp now = from_unix_ms(1'795'375'844'000);
  EXPECT_EQ(parse_until("20m", now), now + std::chrono::minutes(20));
  EXPECT_EQ(parse_until("2026-11-22T19:10:44Z", now), parse_since("2026-11-22T19:10:44Z", now));
  EXPECT_EQ(parse_until("soon", now), std::nullopt);
}

}  // namespace
}  // namespace godwit::cli::admin
