// Server and client together, over a loopback port the system chooses.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/admin/audit_trail.h"
#include "common/admin/client.h"
#include "common/admin/dead_desk.h"
#include "common/admin/errc.h"
#include "common/admin/held_desk.h"
#include "common/admin/log_records.h"
#include "common/admin/server.h"
#include "common/base/manual_clock.h"
#include "common/control/log_control.h"
#include "common/log/fake_log.h"
#include "common/record/records.h"
#include "godwit/admin/v1/admin.grpc.pb.h"

namespace godwit::admin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FakeProcess final : public Process {
 public:
  NodeInfo info() override {
    return {.node = "mta1",
            .version = "0.1.0",
            .cluster = "demo",
            .roles = {{"ingress", ""}, {"sender", "starting"}},
            .started = from_unix_ms(1'000),
            .now = from_unix_ms(2'000),
            .draining = drains > 0,
            .pid = 42,
            .addresses = {"smtp relay 127.0.0.1:2525"}};
  }
  void drain(bool leave) override {
    ++drains;
    left = leave;
  }
  Result<std::vector<std::string>> reload() override {
    if (!reload_problem.empty()) {
      return fail(std::make_error_code(std::errc::invalid_argument), reload_problem);
    }
    return std::vector<std::string>{"control.yaml: 2 tenants"};
  }
  std::string log_level() override { return level; }
  Result<void> set_log_level(std::string_view wanted) override {
    if (wanted != "debug") return fail(Errc::kInvalid, "no such level");
    level = wanted;
    return {};
  }

  std::atomic<int> drains{0};
  bool left = false;
  std::string reload_problem;
  std::string level = "info";
};

class FakeQueue final : public QueueSource {
 public:
  explicit FakeQueue(QueueSummary summary) : summary_(std::move(summary)) {}
  Result<QueueSummary> summary(const QueueQuery& query) override {
    asked = query;
    return summary_;
  }
  QueueQuery asked;

 private:
  QueueSummary summary_;
};

class Admin : public testing::Test {
 protected:
  std::unique_ptr<Server> start(Services services, ServerConfig config = {}) {
    config.listen = "127.0.0.1:0";
    auto server = Server::start(config, services);
    EXPECT_TRUE(server) << server.error().to_string();
    return *std::move(server);
  }
  Services services() { return {.process = &process_, .records = &records_, .queues = {}}; }
  static Client client(const Server& server, std::string token = {}) {
    return Client({.address = server.address(),
                   .token = std::move(token),
                   .deadline = std::chrono::seconds(30)});
  }
  // Its node tells it apart.
  void write_event(const std::string& node) {
    record::Event event;
    event.head.set_node(node);
    event.head.set_type(godwit::v1::DELIVERED);
    event.head.set_message_id(std::string(16, 'm'));
    event.addresses.set_sender("s@acme.example");
    event.addresses.set_recipient("r@example.net");
    std::vector<log::Append> records;
    records.push_back(
        {.where = {log::Topic::kEvents, 0}, .key = {}, .value = *record::encode(event)});
    log_.producer()->append(std::move(records),
                            [](Result<log::Written> done) { EXPECT_TRUE(done); });
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  LogRecords records_{log_, true};
  FakeProcess process_;
};

TEST_F(Admin, RefusesToServeOthersWithoutAToken) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    const auto server = Server::start({.listen = listen}, services());
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().code, Errc::kNobodyMay);
    EXPECT_THAT(server.error().to_string(), HasSubstr(listen));
    EXPECT_THAT(server.error().to_string(), HasSubstr("admin.token"));
  }
}

TEST_F(Admin, ServesOthersWithAToken) {
  const auto server = Server::start(
      {.listen = "0.0.0.0:0", .grants = {.tokens = {{"ops", "s3cret", Role::kViewer}}}},
      services());
  ASSERT_TRUE(server) << server.error().to_string();
}

TEST_F(Admin, SaysWhatIsWrongWithItsAddress) {
  for (const char* listen : {"", "here", "127.0.0.1", "localhost:1"}) {
    const auto server = Server::start({.listen = listen}, services());
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().code, Errc::kAddress);
  }
  const auto first = start(services());
  const auto second = Server::start({.listen = first->address()}, services());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAddress);
  EXPECT_THAT(second.error().to_string(), HasSubstr(first->address()));
}

TEST_F(Admin, TellsAboutItself) {
  const auto server = start(services());
  const auto info = client(*server).info();
  ASSERT_TRUE(info) << info.error().to_string();
  EXPECT_EQ(info->node, "mta1");
  EXPECT_EQ(info->version, "0.1.0");
  EXPECT_EQ(info->cluster, "demo");
  EXPECT_EQ(info->pid, 42u);
  EXPECT_EQ(info->started, from_unix_ms(1'000));
  EXPECT_FALSE(info->draining);
  ASSERT_EQ(info->roles.size(), 2u);
  EXPECT_EQ(info->roles[1].name, "sender");
  EXPECT_EQ(info->roles[1].problem, "starting");
  EXPECT_THAT(info->addresses, ElementsAre("smtp relay 127.0.0.1:2525"));
}

TEST_F(Admin, Drains) {
  const auto server = start(services());
  ASSERT_TRUE(client(*server).drain(false, "test"));
  EXPECT_EQ(process_.drains, 1);
  EXPECT_FALSE(process_.left);
  ASSERT_TRUE(client(*server).drain(true, "test"));
  EXPECT_TRUE(process_.left);
}

TEST_F(Admin, ReloadsOrSaysWhyNot) {
  const auto server = start(services());
  const auto notes = client(*server).reload("test");
  ASSERT_TRUE(notes);
  EXPECT_THAT(*notes, ElementsAre("control.yaml: 2 tenants"));

  process_.reload_problem = "control.yaml:7:3";
  const auto refused = client(*server).reload("test");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kRefused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("control.yaml:7:3"));
}

TEST_F(Admin, ChangesTheLogLevel) {
  const auto server = start(services());
  auto asking = client(*server);
  EXPECT_EQ(asking.log_level().value_or(""), "info");
  EXPECT_EQ(asking.set_log_level("debug", "test").value_or(""), "debug");
  EXPECT_EQ(process_.level, "debug");
  const auto refused = asking.set_log_level("loud", "test");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
}

TEST_F(Admin, SummarisesTheQueuesOfAllRoles) {
  const QueueCounts some{
      .waiting = 2, .parked = 1, .oldest_accepted = from_unix_ms(5), .next_due = from_unix_ms(9)};
  FakeQueue router({.counts = {.waiting = 4, .oldest_accepted = from_unix_ms(7)}});
  FakeQueue sender(
      {.counts = some,
       .rows = {{.name = "example.net default", .counts = some, .suspended = "by ann"}},
       .rows_total = 1});
  Services with = services();
  with.queues = {&router, &sender};
  const auto server = start(with);
  const auto summary = client(*server).queue({.by = QueueBy::kTenant, .rows_max = 7});
  ASSERT_TRUE(summary) << summary.error().to_string();
  EXPECT_EQ(summary->counts.total(), 7u);
  EXPECT_EQ(summary->counts.oldest_accepted, from_unix_ms(5));
  EXPECT_EQ(summary->counts.next_due, from_unix_ms(9));
  ASSERT_EQ(summary->rows.size(), 1u);
  EXPECT_EQ(summary->rows[0].name, "example.net default");
  EXPECT_EQ(summary->rows[0].counts, some);
  EXPECT_EQ(summary->rows[0].suspended, "by ann");
  EXPECT_EQ(sender.asked.by, QueueBy::kTenant);
  EXPECT_EQ(sender.asked.rows_max, 7u);

  const auto greedy = client(*server).queue({.rows_max = 1'000'000});
  ASSERT_FALSE(greedy);
  EXPECT_EQ(greedy.error().code, Errc::kInvalid);
}

TEST_F(Admin, SaysWhatNoRoleHereCanDo) {
  const auto server = start({.process = &process_, .records = nullptr, .queues = {}});
  auto asking = client(*server);
  EXPECT_EQ(asking.queue({}).error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.dead(0).error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.audit(0, {}).error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.events({}, [](const auto&) { return true; }).error().code, Errc::kUnsupported);
}

TEST_F(Admin, HealthFollowsWhatTheProcessSays) {
  const auto server = start(services());
  auto asking = client(*server);
  EXPECT_EQ(asking.serving("").value_or(true), false);
  server->set_serving("", true);
  server->set_serving("ingress", false);
  EXPECT_EQ(asking.serving("").value_or(false), true);
  EXPECT_EQ(asking.serving("ingress").value_or(true), false);
  EXPECT_EQ(asking.serving("nobody").error().code, Errc::kNotFound);
}

TEST_F(Admin, WhatIsNotThereIsUnsupported) {
  const auto server = start(services());
  auto asking = client(*server);
  EXPECT_EQ(asking.dead_show("k").error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.held(1).error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.control_get().error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.nodes().error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.audit_log({}, 1).error().code, Errc::kUnsupported);
}

TEST_F(Admin, ChangesControlDataAndWritesDownWho) {
  const auto control = control::LogControl::open(log_, clock_, "mta1").value();
  AuditTrail trail(log_, clock_, "mta1");
  Services with = services();
  with.control = control.get();
  with.trail = &trail;
  const auto server = start(with);
  Client ann({.address = server->address(), .token = {}, .actor = "ann@laptop"});
  const std::string file = "tenants: [{name: acme}]\n";

  auto answer = ann.control_apply("/c.yaml", file, false, "a new customer");
  while (!answer && answer.error().code == Errc::kRefused)  // until the table is read
    answer = ann.control_apply("/c.yaml", file, false, "a new customer");
  ASSERT_TRUE(answer) << answer.error().to_string();
  ASSERT_THAT(answer->changes, testing::SizeIs(1));
  EXPECT_EQ(answer->changes[0].what, "added");
  EXPECT_EQ(answer->changes[0].kind, "tenant");
  EXPECT_NE(answer->batch, "");
  EXPECT_THAT(ann.control_get()->yaml, HasSubstr("name: acme"));
  EXPECT_THAT(ann.control_diff("/c.yaml", file, false)->changes, testing::IsEmpty());
  EXPECT_EQ(ann.control_diff("/c.yaml", "tenants: [{name: b}]", false)->left,
            std::vector<std::string>{"tenant acme"});

  const auto bad = ann.control_apply("/c.yaml", "tenant: []", false, "a new customer");
  EXPECT_EQ(bad.error().code, Errc::kInvalid);
  EXPECT_THAT(bad.error().to_string(), HasSubstr("/c.yaml:1:1: tenant: unknown key"));

  const auto entries = ann.audit_log({}, 10)->entries;
  ASSERT_THAT(entries, testing::SizeIs(1));
  EXPECT_EQ(entries[0].actor, "loopback");
  EXPECT_THAT(entries[0].client, testing::StartsWith("ann@laptop ipv4:127.0.0.1:"));
  EXPECT_EQ(entries[0].reason, "a new customer");
  EXPECT_EQ(entries[0].action, "control.apply");
  EXPECT_EQ(entries[0].subject, answer->batch);
  EXPECT_EQ(entries[0].changes, std::vector<std::string>{"added tenant acme"});

  // What cannot be written down is not done.
  log_.fail_next(log::Errc::kUnavailable);
  EXPECT_FALSE(ann.control_apply("/c.yaml", "tenants: [{name: b}]", false, "a new customer"));
  EXPECT_EQ(control->current()->tenant("b"), nullptr);
}

TEST_F(Admin, AFailedDecisionIsWrittenDownToo) {
  AuditTrail trail(log_, clock_, "mta1");
  DeadDesk desk(log_, clock_, "mta1");
  Services with = services();
  with.trail = &trail;
  with.dead = &desk;
  const auto server = start(with);
  auto asking = client(*server);
  EXPECT_EQ(asking.dead_drop("accepted/0/1", false, "test").error().code, Errc::kInvalid);
  const auto entries = asking.audit_log({}, 10)->entries;
  ASSERT_THAT(entries, testing::SizeIs(2));
  EXPECT_THAT((std::vector<std::string>{entries[0].failure, entries[1].failure}),
              testing::UnorderedElementsAre("", HasSubstr("there is no accepted/0/1 in dead")));
}

TEST_F(Admin, ADecisionAboutNobodyIsRefusedAndWrittenDown) {
  AuditTrail trail(log_, clock_, "mta1");
  HeldDesk desk(log_);
  Services with = services();
  with.trail = &trail;
  with.held = &desk;
  const auto server = start(with);
  auto asking = client(*server);
  EXPECT_EQ(asking.held(10)->total, 0U);
  EXPECT_EQ(asking.held(10'001).error().code, Errc::kInvalid);
  EXPECT_EQ(asking.held_decide("x/0", accounting::HeldDecision::kFailed, "test").error().code,
            Errc::kInvalid);
  EXPECT_EQ(asking.held_decide("x/0", accounting::HeldDecision{0}, "test").error().code,
            Errc::kInvalid);
  const auto entries = asking.audit_log({}, 10)->entries;
  ASSERT_THAT(entries, testing::SizeIs(2)) << "no decision is none";
  for (const auto& entry : entries) EXPECT_EQ(entry.action, "held.failed");
  EXPECT_THAT((std::vector<std::string>{entries[0].failure, entries[1].failure}),
              testing::UnorderedElementsAre("", HasSubstr("nobody of x/0 is held")));
}

TEST_F(Admin, SaysWhereNothingAnswers) {
  std::string address;
  {
    const auto server = start(services());
    address = server->address();
  }
  const auto info = Client({.address = address, .token = {}}).info();
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, Errc::kUnreachable);
  EXPECT_THAT(info.error().to_string(), HasSubstr(address));
  EXPECT_THAT(info.error().to_string(), HasSubstr("godwit run"));
}

TEST_F(Admin, StreamsEventsThatAreRetained) {
  const auto server = start(services());
  write_event("e1");
  write_event("e2");
  std::vector<std::string> seen;
  const auto read = client(*server).events({}, [&](const accounting::EventAt& at) {
    seen.push_back(at.event.head.node() + " " + at.event.addresses.recipient() + " " +
                   std::to_string(at.offset));
    return true;
  });
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_THAT(seen, ElementsAre("e1 r@example.net 0", "e2 r@example.net 1"));
}

TEST_F(Admin, FollowsEventsUntilTheClientHasEnough) {
  const auto server = start(services());
  write_event("e1");
  std::vector<std::string> seen;
  const auto read = client(*server).events({.follow = true}, [&](const accounting::EventAt& at) {
    seen.push_back(at.event.head.node());
    // Written only when the one before has arrived: it must come by following.
    if (seen.size() < 3) write_event("e" + std::to_string(seen.size() + 1));
    return seen.size() < 3;
  });
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_THAT(seen, ElementsAre("e1", "e2", "e3"));
}

TEST_F(Admin, FiltersOnTheServer) {
  const auto server = start(services());
  write_event("e1");
  const auto count = [&](const accounting::EventQuery& query) {
    int seen = 0;
    EXPECT_TRUE(client(*server).events(query, [&](const auto&) { return ++seen > 0; }));
    return seen;
  };
  EXPECT_EQ(count({.types = {godwit::v1::DELIVERED}}), 1);
  EXPECT_EQ(count({.types = {godwit::v1::BOUNCED}}), 0);
  EXPECT_EQ(count({.message = MessageId::from_octets(std::string(16, 'm'))}), 1);
  EXPECT_EQ(count({.message = MessageId::from_octets(std::string(16, 'n'))}), 0);
  EXPECT_EQ(count({.recipient = "@example.net"}), 1);
  EXPECT_EQ(count({.recipient = "x@example.net"}), 0);
  EXPECT_EQ(count({.tenant = "acme"}), 0);
  EXPECT_EQ(count({.site = "x"}), 0);
  EXPECT_EQ(count({.since = clock_.now() + std::chrono::hours(1)}), 0);
  EXPECT_EQ(count({.only_new = true}), 0);
}

TEST_F(Admin, StoppingEndsStreams) {
  auto server = start(services());
  write_event("e1");
  std::mutex mutex;
  std::condition_variable wake;
  bool arrived = false;
  Result<void> read;
  auto asking = client(*server);
  std::thread follower([&] {
    read = asking.events({.follow = true}, [&](const auto&) {
      const std::lock_guard lock(mutex);
      arrived = true;
      wake.notify_one();
      return true;
    });
  });
  {
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return arrived; });
  }
  server->stop();
  follower.join();
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().code, testing::AnyOf(make_error_code(Errc::kCancelled),
                                                make_error_code(Errc::kUnreachable)));
  server->stop();  // again is nothing
}

TEST_F(Admin, TheClientCanCancel) {
  const auto server = start(services());
  write_event("e1");
  auto asking = client(*server);
  const auto read = asking.events({.follow = true}, [&](const auto&) {
    asking.cancel();
    return true;
  });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::kCancelled);
}

TEST_F(Admin, ServesNoMoreStreamsThanItMay) {
  const auto server = start(services(), {.streams_max = 1});
  write_event("e1");
  auto first = client(*server);
  bool asked = false;
  const auto read = first.events({.follow = true}, [&](const auto&) {
    asked = true;
    EXPECT_EQ(client(*server).audit(0, {}).error().code, Errc::kBusy);
    EXPECT_TRUE(client(*server).info()) << "calls that are no streams go on";
    return false;
  });
  EXPECT_TRUE(read);
  EXPECT_TRUE(asked);
}

TEST_F(Admin, AuditsAndSaysHowFarItIs) {
  const auto server = start(services());
  record::Message message;
  message.head.set_message_id(std::string(16, 'm'));
  for (std::uint32_t i = 0; i < 3; ++i) {
    message.envelope.add_recipients()->set_index(i);
    message.envelope.mutable_recipients(static_cast<int>(i))->set_address("r@example.net");
  }
  message.content.set_size(0);
  std::vector<log::Append> records;
  records.push_back(
      {.where = {log::Topic::kAccepted, 0}, .key = {}, .value = *record::encode(message)});
  log_.producer()->append(std::move(records), [](Result<log::Written> done) { EXPECT_TRUE(done); });

  std::vector<std::string> stages;
  const auto report = client(*server).audit(
      0, [&](std::string_view stage, std::uint64_t) { stages.emplace_back(stage); });
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->accepted, 3u);
  EXPECT_EQ(report->pending_unrouted, 3u);
  EXPECT_TRUE(report->clean());
  EXPECT_THAT(stages, testing::IsSupersetOf({"accepted", "outbound", "retries", "dead", "events"}));

  EXPECT_EQ(client(*server).audit(1'000'000, {}).error().code, Errc::kInvalid);
}

TEST_F(Admin, ListsWhatIsDead) {
  const auto server = start(services());
  record::Dead dead;
  dead.head.set_topic(static_cast<std::uint32_t>(log::Topic::kReports));
  dead.head.set_cause("malformed");
  dead.head.set_role("bouncer");
  dead.head.set_offset(9);
  dead.value = Rope(Bytes::of_static("abc"));
  auto table = log_.shared_table(log::Topic::kDead);
  ASSERT_TRUE(table);
  std::vector<log::TableChange> changes;
  changes.push_back({.where = {log::Topic::kDead, 0}, .key = "k", .value = record::encode(dead)});
  (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });

  const auto list = client(*server).dead(0);
  ASSERT_TRUE(list) << list.error().to_string();
  EXPECT_EQ(list->total, 1u);
  ASSERT_EQ(list->rows.size(), 1u);
  EXPECT_EQ(list->rows[0].topic, log::Topic::kReports);
  EXPECT_EQ(list->rows[0].cause, "malformed");
  EXPECT_EQ(list->rows[0].role, "bouncer");
  EXPECT_EQ(list->rows[0].offset, 9);
  EXPECT_EQ(list->rows[0].size, 3u);
}

}  // namespace
}  // namespace godwit::admin
