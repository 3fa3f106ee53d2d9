// Commands and deliveries through the administration service: a real server over a fake log.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/admin/audit_trail.h"
#include "common/admin/client.h"
#include "common/admin/errc.h"
#include "common/admin/server.h"
#include "common/base/manual_clock.h"
#include "common/base/test_eventually.h"
#include "common/commands/command_book.h"
#include "common/log/fake_log.h"

namespace godwit::admin {
namespace {

using commands::Kind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class FakeProcess final : public Process {
 public:
  NodeInfo info() override { return {.node = "mta1"}; }
  void drain(bool /*leave*/) override {}
  Result<std::vector<std::string>> reload() override { return std::vector<std::string>{}; }
  std::string log_level() override { return "info"; }
  Result<void> set_log_level(std::string_view /*level*/) override { return {}; }
};

class FakeDeliveries final : public DeliverySource {
 public:
  Result<DeliveryList> deliveries(const commands::Filter& filter, std::size_t rows_max) override {
    asked = filter;
    DeliveryList list;
    list.add({.id = {MessageId{}, 3}, .recipients = 2, .bytes = 10, .accepted = from_unix_ms(5)},
             rows_max);
    return list;
  }
  Result<std::optional<DeliveryDetails>> delivery(const DeliveryId& id) override {
    if (id.index != 3) return std::nullopt;
    return DeliveryDetails{.row = {.id = id}, .sender = "s@acme.example"};
  }
  commands::Filter asked;
};

class CommandCalls : public testing::Test {
 protected:
  CommandCalls() {
    book_ = commands::CommandBook::open(log_, clock_, "mta1").value();
    EXPECT_TRUE(eventually([&] { return book_->problem().empty(); }));
    server_ = Server::start({.listen = "127.0.0.1:0"}, {.process = &process_,
                                                        .deliveries = {&deliveries_},
                                                        .commands = book_.get(),
                                                        .trail = &trail_})
                  .value();
  }
  Client client() {
    return Client({.address = server_->address(), .deadline = std::chrono::seconds(30)});
  }
  static commands::Order order(Kind kind = Kind::kSuspend) {
    return {.kind = kind, .filter = {.tenant = "acme"}, .reason = "because"};
  }
  std::vector<std::string> audited() {
    std::vector<std::string> out;
    for (const AuditEntry& entry : trail_.list({}, 100).value().entries)
      out.push_back(entry.action + " " + entry.subject + ": " + entry.reason);
    return out;
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  FakeProcess process_;
  FakeDeliveries deliveries_;
  AuditTrail trail_{log_, clock_, "mta1"};
  std::unique_ptr<commands::CommandBook> book_;
  std::unique_ptr<Server> server_;
};

TEST_F(CommandCalls, AnOrderIsWrittenDownAndInForceAndUndone) {
  Client asking = client();
  const auto issued = asking.command_issue(order(Kind::kCancel), false);
  ASSERT_TRUE(issued) << issued.error().to_string();
  EXPECT_THAT(issued->actor, HasSubstr("loopback"));
  EXPECT_EQ(issued->reason, "because");
  const auto listed = asking.command_list().value();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed.front().command, *issued);
  const auto undone = asking.command_undo(issued->id.text(), "a mistake");
  ASSERT_TRUE(undone) << undone.error().to_string();
  EXPECT_EQ(undone->undone_reason, "a mistake");
  EXPECT_TRUE(book_->current()->empty());
  EXPECT_THAT(audited(), UnorderedElementsAre("command.undo " + issued->id.text() + ": a mistake",
                                              "command.cancel tenant=acme: because"));
  EXPECT_EQ(asking.command_undo(issued->id.text(), "again").error().code, Errc::kRefused);
  EXPECT_EQ(asking.command_undo("nobody", "r").error().code, Errc::kNotFound);
}

TEST_F(CommandCalls, ADryRunOnlySaysWhetherItWouldBeTaken) {
  Client asking = client();
  EXPECT_TRUE(asking.command_issue(order(), true));
  EXPECT_TRUE(book_->current()->empty());
  EXPECT_THAT(audited(), IsEmpty());
  for (const bool dry_run : {true, false}) {
    commands::Order empty = order();
    empty.filter = {};
    const auto refused = asking.command_issue(empty, dry_run);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kInvalid);
    EXPECT_THAT(refused.error().context, HasSubstr("the filter is empty: name a tenant"));
    commands::Order silent = order();
    silent.reason.clear();
    EXPECT_EQ(asking.command_issue(silent, dry_run).error().code, Errc::kInvalid);
  }
  EXPECT_THAT(audited(), IsEmpty());
}

TEST_F(CommandCalls, WhatCannotBeWrittenDownIsNotDone) {
  log_.fail_next(log::Errc::kNoSpace);
  EXPECT_FALSE(client().command_issue(order(), false));
  EXPECT_TRUE(book_->current()->empty());
}

TEST_F(CommandCalls, DeliveriesAreListedAndShown) {
  Client asking = client();
  const auto list = asking.deliveries({.domain = "Example.NET"}, 10).value();
  EXPECT_EQ(deliveries_.asked.domain, "example.net");
  ASSERT_THAT(list.rows, SizeIs(1));
  EXPECT_EQ(list.recipients, 2U);
  EXPECT_THAT(asking.deliveries({}, 0).value().rows, IsEmpty());
  EXPECT_EQ(asking.deliveries({.domain = "a..b"}, 10).error().code, Errc::kInvalid);
  EXPECT_EQ(asking.deliveries({}, 10'001).error().code, Errc::kInvalid);
  const std::string id = list.rows.front().id.to_text();
  EXPECT_EQ(asking.delivery(id).value().sender, "s@acme.example");
  EXPECT_EQ(asking.delivery(MessageId{}.to_text() + "/4").error().code, Errc::kNotFound);
  EXPECT_EQ(asking.delivery("nonsense").error().code, Errc::kInvalid);
}

TEST_F(CommandCalls, WhoHasNoLogAndNoQueueSaysSo) {
  const auto bare = Server::start({.listen = "127.0.0.1:0"}, {.process = &process_}).value();
  Client asking({.address = bare->address(), .deadline = std::chrono::seconds(30)});
  EXPECT_EQ(asking.command_issue(order(), true).error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.command_undo("x", "r").error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.command_list().error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.deliveries({}, 1).error().code, Errc::kUnsupported);
  EXPECT_EQ(asking.delivery(MessageId{}.to_text() + "/4").error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace godwit::admin
