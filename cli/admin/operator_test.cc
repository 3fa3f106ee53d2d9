// The commands against a process: a real admin server over a fake log.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/admin/address_file.h"
#include "cli/admin/audit.h"
#include "cli/admin/capture.h"
#include "cli/admin/ctl.h"
#include "cli/admin/ctl_dead.h"
#include "cli/admin/events.h"
#include "common/admin/dead_desk.h"
#include "common/admin/errc.h"
#include "common/admin/log_records.h"
#include "common/admin/server.h"
#include "common/base/manual_clock.h"
#include "common/base/test_directory.h"
#include "common/capture/store.h"
#include "common/log/fake_log.h"
#include "common/record/records.h"

namespace godwit::cli::admin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class FakeProcess final : public operate::Process {
 public:
  operate::NodeInfo info() override {
    return {.node = "mta1",
            .version = "0.1.0",
            .cluster = "demo",
            .roles = {{"ingress", ""}, {role, "replaying"}},
            .started = from_unix_ms(1'000),
            .now = from_unix_ms(61'000),
            .draining = drained > 0,
            .pid = 42,
            .addresses = {"smtp.relay 127.0.0.1:2525"}};
  }
  void drain(bool leave) override { drained += leave ? 10 : 1; }
  Result<std::vector<std::string>> reload() override {
    if (!reload_works) return fail(operate::Errc::kRefused, "control.yaml:3:1: unknown key");
    return std::vector<std::string>{"control.yaml: version 2"};
  }
  std::string log_level() override { return level; }
  Result<void> set_log_level(std::string_view wanted) override {
    level = wanted;
    return {};
  }
  int drained = 0;
  std::string role = "sender";
  bool reload_works = true;
  std::string level = "info";
};

class FakeQueue final : public operate::QueueSource {
 public:
  Result<operate::QueueSummary> summary(const operate::QueueQuery& query) override {
    const operate::QueueCounts counts{.waiting = 2,
                                      .active = 1,
                                      .parked = 4,
                                      .oldest_accepted = from_unix_ms(1'767'225'480'000),
                                      .next_due = from_unix_ms(1'767'226'800'000)};
    operate::QueueSummary summary{.counts = counts, .rows_total = 3};
    summary.rows.push_back(
        {.name = query.by == operate::QueueBy::kTenant ? "acme" : "example.net default",
         .counts = counts,
         .suspended = "by ann"});
    return summary;
  }
};

class Operator : public testing::Test {
 protected:
  Operator() {
    server_ = *operate::Server::start(
        {.listen = "127.0.0.1:0", .grants = {.tokens = {{"ops", "s3cret", operate::Role::kAdmin}}}},
        {.process = &process_, .records = &records_, .queues = {&queue_}, .dead = &dead_desk_});
    target_ = {
        .admin_address = server_->address(), .token = "s3cret", .data_dir = {}, .embedded = false};
  }

  void write_event() {
    record::Event event;
    event.head.set_type(v1::DELIVERED);
    event.head.set_message_id(std::string(16, 'm'));
    event.head.set_tenant("acme");
    event.addresses.set_recipient("ann@example.net");
    append(log::Topic::kEvents, *record::encode(event));
  }
  void accept() {
    record::Message message;
    message.head.set_message_id(std::string(16, 'm'));
    message.envelope.add_recipients()->set_address("ann@example.net");
    message.content.set_size(0);
    append(log::Topic::kAccepted, *record::encode(message));
  }
  void append(log::Topic topic, Rope value) {
    std::vector<log::Append> records;
    records.push_back({.where = {topic, 0}, .key = {}, .value = std::move(value)});
    log_.producer()->append(std::move(records),
                            [](Result<log::Written> done) { EXPECT_TRUE(done); });
  }
  Io io() { return {out_, err_}; }
  std::string out() { return out_.str(); }
  std::string err() { return err_.str(); }
  nlohmann::json json() { return nlohmann::json::parse(out_.str()); }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  operate::LogRecords records_{log_, true};
  operate::DeadDesk dead_desk_{log_, clock_, "mta1"};
  FakeProcess process_;
  FakeQueue queue_;
  std::unique_ptr<operate::Server> server_;
  TestDirectory directory_;
  Target target_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(Operator, EventsAsLinesAndAsJson) {
  write_event();
  EXPECT_EQ(events({}, target_, clock_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("delivered"));
  EXPECT_THAT(out(), HasSubstr("ann@example.net"));
  EXPECT_THAT(err(), IsEmpty());
  out_.str({});
  EventsOptions options;
  options.json = true;
  EXPECT_EQ(events(options, target_, clock_, io()), kDone);
  EXPECT_EQ(json()["type"], "delivered");
  EXPECT_EQ(json()["recipient"], "ann@example.net");
}

TEST_F(Operator, EventsThatAreWanted) {
  write_event();
  const auto wanted = [&](auto set) {
    out_.str({});
    EventsOptions options;
    set(options);
    EXPECT_EQ(events(options, target_, clock_, io()), kDone) << err();
    return !out().empty();
  };
  EXPECT_TRUE(wanted([](auto& options) { options.types = {"delivered"}; }));
  EXPECT_FALSE(wanted([](auto& options) { options.types = {"bounced", "expired"}; }));
  EXPECT_TRUE(wanted([](auto& options) { options.tenant = "acme"; }));
  EXPECT_FALSE(wanted([](auto& options) { options.tenant = "other"; }));
  EXPECT_TRUE(wanted([](auto& options) { options.recipient = "@example.net"; }));
  EXPECT_TRUE(
      wanted([](auto& options) { options.message = "6d6d6d6d-6d6d-6d6d-6d6d-6d6d6d6d6d6d"; }));
  EXPECT_FALSE(
      wanted([](auto& options) { options.message = "6d6d6d6d-6d6d-6d6d-6d6d-6d6d6d6d6d6e"; }));
  EXPECT_TRUE(wanted([](auto& options) { options.since = "5m"; }));
}

TEST_F(Operator, OptionsOfEventsThatAreWrong) {
  struct {
    EventsOptions options;
    const char* says;
  } cases[3];
  cases[0].options.since = "yesterday";
  cases[0].says = "--since yesterday";
  cases[1].options.types = {"deliverd"};
  cases[1].says = "one of accepted routed deferred delivered";
  cases[2].options.message = "123";
  cases[2].says = "--message 123";
  for (const auto& [options, says] : cases) {
    err_.str({});
    EXPECT_EQ(events(options, target_, clock_, io()), kUsage);
    EXPECT_THAT(err(), HasSubstr(says));
  }
  EXPECT_THAT(out(), IsEmpty());
}

TEST_F(Operator, AuditAnswersByItsStatus) {
  write_event();
  accept();
  EXPECT_EQ(audit({}, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("Every accepted recipient is accounted for."));
  EXPECT_THAT(err(), HasSubstr("godwit audit: accepted"));

  out_.str({});
  err_.str({});
  clock_.advance(std::chrono::seconds(1));
  write_event();  // the same attempt, known at another time
  record::Event again;
  again.head.set_type(v1::BOUNCED);
  again.head.set_message_id(std::string(16, 'm'));
  append(log::Topic::kEvents, *record::encode(again));
  EXPECT_EQ(audit({.json = true, .quiet = true}, target_, io()), kAnswerIsNo);
  EXPECT_EQ(json()["doubled"], 1);
  EXPECT_THAT(err(), IsEmpty());
}

TEST_F(Operator, InfoAndHealth) {
  EXPECT_EQ(ctl_info({}, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("mta1 (cluster demo), godwit 0.1.0, process 42, up 1m0s\n"));
  EXPECT_THAT(out(), HasSubstr("sender   no     replaying"));
  EXPECT_THAT(out(), HasSubstr("smtp.relay 127.0.0.1:2525"));
  out_.str({});
  EXPECT_EQ(ctl_info({.json = true}, target_, io()), kDone);
  EXPECT_EQ(json()["roles"][1]["ready"], false);

  out_.str({});
  EXPECT_EQ(ctl_health({}, "", target_, io()), kAnswerIsNo);
  server_->set_serving("", true);
  EXPECT_EQ(ctl_health({}, "", target_, io()), kDone);
  EXPECT_EQ(ctl_health({}, "nobody", target_, io()), kCouldNotRun);
}

TEST_F(Operator, DrainReloadAndLogLevel) {
  EXPECT_EQ(ctl_drain({.reason = "test"}, false, target_, io()), kDone);
  EXPECT_EQ(ctl_drain({.reason = "test"}, true, target_, io()), kDone);
  EXPECT_EQ(process_.drained, 11);

  EXPECT_EQ(ctl_reload({.reason = "test"}, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("control.yaml: version 2"));
  process_.reload_works = false;
  EXPECT_EQ(ctl_reload({.reason = "test"}, target_, io()), kCouldNotRun);
  EXPECT_THAT(err(), HasSubstr("control.yaml:3:1: unknown key"));

  out_.str({});
  EXPECT_EQ(ctl_log_level({.reason = "test"}, "debug", target_, io()), kDone);
  EXPECT_EQ(process_.level, "debug");
  EXPECT_EQ(ctl_log_level({.json = true}, "", target_, io()), kDone);
  EXPECT_EQ(out(), "debug\n{\"level\":\"debug\"}\n");
}

TEST_F(Operator, QueueAndDead) {
  EXPECT_EQ(ctl_queue({}, {}, target_, clock_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("7 recipients: 2 waiting, 1 active, 4 parked, 0 suspended; 0 B; "
                               "oldest 2m0s, next due in 20m0s"));
  EXPECT_THAT(out(), HasSubstr("example.net default      7        2       1       4"));
  EXPECT_THAT(out(), HasSubstr("by ann"));
  EXPECT_THAT(out(), HasSubstr("The fullest 1 of 3"));
  out_.str({});
  EXPECT_EQ(ctl_queue({.json = true}, {.by = operate::QueueBy::kTenant}, target_, clock_, io()),
            kDone);
  EXPECT_EQ(json()["parked"], 4);
  EXPECT_EQ(json()["rows"][0]["name"], "acme");
  EXPECT_EQ(json()["rows"][0]["oldest_accepted"], "2025-12-31T23:58:00.000Z");

  // A queue that is empty because its sender ends is not taken for one that is empty.
  process_.drain(false);
  EXPECT_EQ(ctl_queue({}, {}, target_, clock_, io()), kDone);
  EXPECT_THAT(err_.str(), HasSubstr("not counted: mta1: draining"));
  process_.role = "router";
  out_.str({});
  EXPECT_EQ(ctl_queue({.json = true}, {}, target_, clock_, io()), kDone);
  EXPECT_EQ(json()["total"], 0);
  EXPECT_THAT(json()["not_counted"].dump(), HasSubstr("whoever else there is"));

  out_.str({});
  EXPECT_EQ(ctl_dead_list({}, 10, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("Nothing is held"));
  record::Dead dead;
  dead.head.set_topic(static_cast<std::uint32_t>(log::Topic::kOutbound));
  dead.head.set_offset(7);
  dead.head.set_cause("malformed\x1b[2J");
  auto table = log_.shared_table(log::Topic::kDead);
  std::vector<log::TableChange> changes;
  changes.push_back(
      {.where = {log::Topic::kDead, 0}, .key = "outbound/0/7", .value = record::encode(dead)});
  (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  out_.str({});
  EXPECT_EQ(ctl_dead_list({}, 10, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("outbound/0/7"));
  EXPECT_THAT(out(), Not(HasSubstr("\x1b")));
  out_.str({});
  EXPECT_EQ(ctl_dead_list({.json = true}, 10, target_, io()), kDone);
  EXPECT_EQ(json()["rows"][0]["offset"], 7);
}

TEST_F(Operator, DeadShowIsForPeople) {
  const auto bury = [&](const std::string& key, const record::Dead& dead) {
    auto table = log_.shared_table(log::Topic::kDead);
    std::vector<log::TableChange> changes;
    changes.push_back({.where = {log::Topic::kDead, 0}, .key = key, .value = record::encode(dead)});
    (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  };
  record::Dead octets;  // as `ctl log repair` writes them
  octets.head.set_cause("000001.seg 1/4096: a batch that was synced cannot be read");
  octets.head.set_role("log repair");
  octets.value = Rope(Bytes::copy_of("\x01\x02 raw octets"));
  const std::string key = "repair/0000000000000001/00001000/0000";
  bury(key, octets);
  EXPECT_EQ(ctl_dead_show({}, key, false, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("kind        octets of the log itself"));
  EXPECT_THAT(out(), HasSubstr("why         000001.seg 1/4096: a batch that was synced"));
  EXPECT_THAT(out(), HasSubstr("by log repair"));
  EXPECT_THAT(out(), HasSubstr("size        13 B"));
  EXPECT_THAT(out(), HasSubstr("`godwit audit` names"));
  EXPECT_THAT(out(), Not(HasSubstr("01 02 20")));
  out_.str({});
  EXPECT_EQ(ctl_dead_show({}, key, true, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("01 02 20 72 61 77"));
  out_.str({});
  EXPECT_EQ(ctl_dead_show({.json = true}, key, false, target_, io()), kDone);
  EXPECT_FALSE(json().contains("head_hex"));

  record::Message message;
  message.head.set_message_id(std::string(MessageId{}.octets()));
  message.head.set_total(1);
  message.envelope.set_sender("ann@acme.example");
  message.envelope.add_recipients()->set_address("bob@example.net");
  message.content.set_size(3);
  message.data = Rope(Bytes::of_static("x\r\n"));
  record::Dead accepted;
  accepted.head.set_topic(static_cast<std::uint32_t>(log::Topic::kAccepted));
  accepted.head.set_partition(1);
  accepted.head.set_offset(7);
  accepted.head.set_role("router");
  accepted.value = *record::encode(message);
  bury("accepted/1/7", accepted);
  out_.str({});
  EXPECT_EQ(ctl_dead_show({}, "accepted/1/7", false, target_, io()), kDone);
  EXPECT_THAT(out(), HasSubstr("kind        message, not routed yet"));
  EXPECT_THAT(out(), HasSubstr("from        accepted/1/7"));
  EXPECT_THAT(out(), HasSubstr("sender      ann@acme.example"));
  EXPECT_THAT(out(), HasSubstr("recipient   bob@example.net"));
}

TEST_F(Operator, AWrongTokenIsSaidWithTheAddress) {
  target_.token = "wrong";
  EXPECT_EQ(ctl_drain({.reason = "test"}, false, target_, io()), kCouldNotRun);
  EXPECT_EQ(events({}, target_, clock_, io()), kCouldNotRun);
  EXPECT_EQ(audit({}, target_, io()), kCouldNotRun);
  EXPECT_THAT(err(), HasSubstr(server_->address()));
  EXPECT_THAT(err(), HasSubstr("token"));
  EXPECT_EQ(process_.drained, 0);
}

TEST_F(Operator, NobodyAnswers) {
  server_.reset();
  EXPECT_EQ(ctl_info({}, target_, io()), kCouldNotRun);
  EXPECT_THAT(err(), HasSubstr(target_.admin_address));
  EXPECT_THAT(err(), HasSubstr("is `godwit run` up"));
}

TEST_F(Operator, PortZeroIsFoundThroughTheDataDirectory) {
  const std::string real = target_.admin_address;
  target_.admin_address = "127.0.0.1:0";
  EXPECT_FALSE(address_of(target_));
  target_.data_dir = directory_.path();
  const auto unwritten = address_of(target_);
  ASSERT_FALSE(unwritten);
  EXPECT_THAT(unwritten.error().to_string(), HasSubstr(address_file(directory_.path()).string()));

  ASSERT_TRUE(write_address_file(directory_.path(), real));
  EXPECT_EQ(address_of(target_).value_or(""), real);
  EXPECT_EQ(ctl_info({}, target_, io()), kDone);
  remove_address_file(directory_.path());
  EXPECT_FALSE(address_of(target_));
}

TEST_F(Operator, AddressesThatOnlyListenersUnderstand) {
  EXPECT_EQ(address_of({.admin_address = "0.0.0.0:8026"}).value_or(""), "127.0.0.1:8026");
  EXPECT_EQ(address_of({.admin_address = "[::]:8026"}).value_or(""), "[::1]:8026");
  EXPECT_EQ(address_of({.admin_address = "192.0.2.1:8026"}).value_or(""), "192.0.2.1:8026");
  EXPECT_EQ(address_of({.admin_address = "mta1.example:8026"}).value_or(""), "mta1.example:8026");
}

TEST_F(Operator, CapturedMail) {
  EXPECT_EQ(capture_list({}, directory_ / "capture", io()), kDone);
  EXPECT_THAT(out(), HasSubstr("No mail yet"));
  EXPECT_EQ(capture_show({}, directory_ / "capture", io()), kAnswerIsNo);
  EXPECT_THAT(err(), HasSubstr("no mail yet"));

  auto store = *capture::Store::open(directory_ / "capture", {});
  const auto add = [&](std::string sender, std::string_view octets) {
    capture::Metadata mail;
    mail.sender = std::move(sender);
    mail.recipients = {"r@example.net"};
    return *store->add(std::move(mail), octets);
  };
  const auto first = add("one@x", "Subject: \x1b[2Jfirst\r\n\r\nbody\x1b\r\n");
  add("two@x", "Subject: second\r\n\r\n");

  out_.str({});
  EXPECT_EQ(capture_list({.count_max = 1}, directory_ / "capture", io()), kDone);
  EXPECT_THAT(out(), HasSubstr("second"));
  EXPECT_THAT(out(), Not(HasSubstr("first")));
  EXPECT_THAT(out(), HasSubstr("The newest 1 of 2"));

  out_.str({});
  EXPECT_EQ(capture_list({.json = true}, directory_ / "capture", io()), kDone);
  EXPECT_EQ(nlohmann::json::parse(out().substr(0, out().find('\n')))["sender"], "two@x");

  out_.str({});
  EXPECT_EQ(capture_show({.id = first.to_text()}, directory_ / "capture", io()), kDone);
  EXPECT_THAT(out(), HasSubstr("MAIL FROM: <one@x>"));
  EXPECT_THAT(out(), HasSubstr("body"));
  EXPECT_THAT(out(), Not(HasSubstr("\x1b")));

  out_.str({});
  EXPECT_EQ(capture_show({.id = first.to_text(), .raw = true}, directory_ / "capture", io()),
            kDone);
  EXPECT_EQ(out(), "Subject: \x1b[2Jfirst\r\n\r\nbody\x1b\r\n");

  out_.str({});
  EXPECT_EQ(capture_show({.json = true}, directory_ / "capture", io()), kDone);
  EXPECT_EQ(json()["sender"], "two@x");

  EXPECT_EQ(capture_show({.id = "../../etc/passwd"}, directory_ / "capture", io()), kUsage);
  EXPECT_EQ(capture_show({.id = MessageId{}.to_text()}, directory_ / "capture", io()), kAnswerIsNo);
}

}  // namespace
}  // namespace godwit::cli::admin
