// What operators order about queued mail: suspend, cancel, retry.

#include "sender/role_test_support.h"

#include <atomic>
#include <map>
#include <set>

#include "common/commands/command.h"

namespace godwit::sender {
namespace {

using commands::Command;
using commands::CommandId;
using commands::Filter;
using commands::Kind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Command order(std::string id, Kind kind, Filter filter) {
  const Timestamp now = system_clock().now();
  return {.id = CommandId(std::move(id)),
          .kind = kind,
          .filter = std::move(filter),
          .reason = "wrong price",
          .actor = "ann",
          .node = "mta1",
          .created = now,
          .until = {},
          .accepted_until = now + 1ms,
          .undone = {},
          .undone_by = {},
          .undone_reason = {}};
}

// A peer that answers no final dot until it is let go.
class HangingPeer {
 public:
  explicit HangingPeer(const FakePeer::Script& otherwise)
      : peer_([this, otherwise](Stage stage, const std::string& line, int connection) {
          if (stage == Stage::kDot) hangs_.wait(true);
          return otherwise(stage, line, connection);
        }) {}
  ~HangingPeer() { let_go(); }
  void let_go() {
    hangs_ = false;
    hangs_.notify_all();
  }
  FakePeer* operator->() { return &peer_; }

 private:
  std::atomic<bool> hangs_{true};
  FakePeer peer_;
};

std::string takes_all(Stage /*stage*/, const std::string& /*line*/, int /*connection*/) {
  return {};
}

class SenderUnderCommands : public testing::Test {
 protected:
  SenderUnderCommands() {
    system_.route_all_to(peer_.port());
    system_.config.retry = {.first = 1h, .factor = 1, .max = 1h, .jitter = 0};
  }
  [[nodiscard]] std::size_t attempts() const { return peer_.mail_times().size(); }
  // "two@b.example", in the order of their delivery.
  [[nodiscard]] std::vector<std::string> taken() const {
    std::vector<std::string> recipients;
    for (const FakePeer::Mail& mail : peer_.mails())
      for (const std::string& one : mail.recipients) recipients.push_back(one);
    return recipients;
  }
  [[nodiscard]] std::size_t suspended() const {
    std::size_t count = 0;
    for (const v1::Delivery& parked : system_.parked()) count += parked.suspended() ? 1 : 0;
    return count;
  }
  // What a summary counts as suspended.
  [[nodiscard]] std::uint64_t counted() {
    return system_.role().summary({}).value().counts.suspended;
  }
  [[nodiscard]] std::uint64_t queued() { return system_.role().summary({}).value().counts.total(); }

  std::atomic<bool> defers_{false};
  FakePeer peer_{[this](Stage stage, const std::string&, int) -> std::string {
    return stage == Stage::kMail && defers_ ? "450 4.2.0 later" : "";
  }};
  FakeMailSystem system_;
};

TEST_F(SenderUnderCommands, WhatIsSuspendedIsSetAsideAndResumesWhenItIsUndone) {
  const Command suspend = order("1", Kind::kSuspend, {.domain = "a.example"});
  system_.commands.set({suspend});
  system_.start();
  system_.put({.domain = "a.example"});
  system_.put({.domain = "a.example", .urgent = true});
  system_.put({.domain = "b.example", .recipients = {"two"}});
  EVENTUALLY(suspended() == 2);
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_THAT(taken(), ElementsAre("two@b.example"));
  // No slot of the window is held, no attempt is counted.
  EVENTUALLY(system_.committed() == 2 && system_.committed(log::Topic::kOutboundUrgent) == 1);
  for (const v1::Delivery& parked : system_.parked()) EXPECT_EQ(parked.attempts(), 0U);
  EXPECT_EQ(counted(), 2U);
  EXPECT_EQ(queued(), 2U);
  EXPECT_EQ(system_.commands.touched(suspend.id).deliveries, 2U);

  system_.stop();
  system_.start();
  system_.put({.domain = "b.example", .recipients = {"three"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  EXPECT_EQ(suspended(), 2U);
  EXPECT_EQ(counted(), 2U);
  EXPECT_EQ(attempts(), 2U);

  system_.commands.set({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 4);
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(counted(), 0U);
  EXPECT_EQ(queued(), 0U);
}

TEST_F(SenderUnderCommands, ASuspensionThatEndsIsOverByItself) {
  Command suspend = order("1", Kind::kSuspend, {.tenant = "acme"});
  suspend.until = system_clock().now() + 1500ms;
  system_.commands.set({suspend});
  system_.start();
  system_.put({});
  EVENTUALLY(suspended() == 1);
  EXPECT_EQ(attempts(), 0U);
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_GE(system_clock().now(), *suspend.until);
}

TEST_F(SenderUnderCommands, NothingIsAttemptedBeforeTheCommandsAreRead) {
  system_.commands.unread();
  system_.start();
  system_.put({});
  system_.put({.domain = "b.example", .recipients = {"two"}});
  EXPECT_EQ(system_.role().problem(), "the commands are being read");
  EXPECT_FALSE(FakeMailSystem::eventually([&] { return attempts() > 0; }, 1s));
  system_.commands.set({order("1", Kind::kSuspend, {.domain = "a.example"})});
  EVENTUALLY(system_.role().problem().empty());
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EVENTUALLY(suspended() == 1);
  EXPECT_THAT(taken(), ElementsAre("two@b.example"));
}

TEST_F(SenderUnderCommands, WhatIsParkedIsCancelledAtOnceAndEndsOnce) {
  defers_ = true;
  system_.start();
  const MessageId id = system_.put({.recipients = {"one", "two"}});
  system_.put({.recipients = {"three"}, .tenant = "other"});
  EVENTUALLY(system_.parked().size() == 2);
  const Command cancel = order("7", Kind::kCancel, {.tenant = "acme"});
  system_.commands.set({cancel});
  EVENTUALLY(system_.count(v1::CANCELLED) == 2);
  EVENTUALLY(system_.parked().size() == 1);
  EXPECT_EQ(system_.parked().front().tenant(), "other");
  for (const record::Event& event : system_.events()) {
    if (event.head.type() != v1::CANCELLED) continue;
    EXPECT_EQ(event.head.message_id(), id.octets());
    EXPECT_EQ(event.head.reply().text(), "cancelled by ann (7): wrong price");
    EXPECT_EQ(event.head.attempt(), 1U);
    EXPECT_FALSE(event.head.has_notice());
  }
  EXPECT_EQ(system_.commands.touched(cancel.id).deliveries, 1U);
  EXPECT_EQ(system_.commands.touched(cancel.id).recipients, 2U);
  EVENTUALLY(system_.commands.touched(cancel.id).complete);
  EXPECT_EQ(queued(), 1U);
  // Its content went with it.
  EXPECT_THAT(system_.retries(), SizeIs(2)) << "the other's delivery and content";
}

TEST_F(SenderUnderCommands, WhatComesLaterIsCancelledOnlyWhenItWasAcceptedBefore) {
  Command cancel = order("1", Kind::kCancel, {.domain = "a.example"});
  cancel.accepted_until = system_clock().now() + 1h;
  system_.commands.set({cancel});
  system_.start();
  system_.put({});
  EVENTUALLY(system_.count(v1::CANCELLED) == 1);
  EVENTUALLY(system_.committed() == 1);
  cancel.accepted_until = system_clock().now() - 1h;
  system_.commands.set({cancel});
  system_.put({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(SenderUnderCommands, ACancelEndsWhatIsSuspended) {
  const Command suspend = order("1", Kind::kSuspend, {.domain = "a.example"});
  system_.commands.set({suspend});
  system_.start();
  system_.put({});
  EVENTUALLY(suspended() == 1);
  system_.commands.set({suspend, order("2", Kind::kCancel, {.domain = "a.example"})});
  EVENTUALLY(system_.count(v1::CANCELLED) == 1);
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(attempts(), 0U);
  EXPECT_EQ(queued(), 0U);
}

TEST_F(SenderUnderCommands, ARetryMakesWhatWaitsDueOnce) {
  defers_ = true;
  system_.start();
  system_.put({});
  system_.put({.domain = "b.example"});
  EVENTUALLY(system_.parked().size() == 2);
  defers_ = false;
  const Command retry = order("1", Kind::kRetry, {.domain = "a.example"});
  system_.commands.set({retry});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EVENTUALLY(system_.commands.touched(retry.id).complete);
  EXPECT_THAT(taken(), ElementsAre("one@a.example"));
  EXPECT_EQ(system_.commands.touched(retry.id).deliveries, 1U);
  // What is deferred after it waits as usual, also when others come and go.
  defers_ = true;
  system_.put({});
  EVENTUALLY(system_.parked().size() == 2);
  system_.commands.set({retry, order("2", Kind::kSuspend, {.domain = "c.example"})});
  system_.put({.domain = "c.example"});
  EVENTUALLY(suspended() == 1);
  EXPECT_EQ(attempts(), 4U);
}

TEST_F(SenderUnderCommands, WhoIsSuspendedIsNotRetried) {
  defers_ = true;
  system_.start();
  system_.put({});
  EVENTUALLY(system_.parked().size() == 1);
  const Command retry = order("2", Kind::kRetry, {.tenant = "acme"});
  system_.commands.set({order("1", Kind::kSuspend, {.domain = "a.example"}), retry});
  EVENTUALLY(system_.commands.touched(retry.id).complete);
  EXPECT_EQ(system_.commands.touched(retry.id).deliveries, 0U);
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(SenderUnderCommands, ASuspendedOneExpiresAtItsAge) {
  system_.commands.set({order("1", Kind::kSuspend, {.domain = "a.example"})});
  system_.start();
  system_.put({.expires_in = 2s});
  EVENTUALLY(suspended() == 1);
  EVENTUALLY(system_.count(v1::EXPIRED) == 1);
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(attempts(), 0U);
}

// One connection, and a peer that hangs in the first mail: the others wait in the lane when the commands come.
TEST_F(SenderUnderCommands, WhatWaitsInMemoryIsTakenOut) {
  HangingPeer slow(takes_all);
  system_.route_all_to(slow->port());
  system_.control.shaping.push_back({.is_default = true, .connection_limit = 1});
  system_.start();
  system_.put({.recipients = {"first"}});
  EVENTUALLY(slow->mail_times().size() == 1);
  system_.put({.recipients = {"one"}});
  system_.put({.recipients = {"two"}, .tenant = "other"});
  system_.put({.recipients = {"three"}, .tenant = "third"});
  EVENTUALLY(queued() == 4);
  system_.commands.set({order("1", Kind::kSuspend, {.tenant = "acme"}),
                        order("2", Kind::kCancel, {.tenant = "other"})});
  EVENTUALLY(system_.count(v1::CANCELLED) == 1);
  EVENTUALLY(suspended() == 1);
  slow.let_go();
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  std::set<std::string> recipients;
  for (const auto& mail : slow->mails()) recipients.insert(mail.recipients.front());
  EXPECT_THAT(recipients, ElementsAre("first@a.example", "three@a.example"));
  system_.commands.set({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 3);
}

// The attempt is under way when the cancel comes: it ends as it does, and whoever is left is cancelled with it.
TEST_F(SenderUnderCommands, AnAttemptUnderWayIsNotBrokenOff) {
  HangingPeer slow([](Stage stage, const std::string& line, int) -> std::string {
    return stage == Stage::kRcpt && line.find("two@") != std::string::npos ? "450 4.2.0 later" : "";
  });
  system_.route_all_to(slow->port());
  system_.start();
  system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(slow->mail_times().size() == 1);
  system_.commands.set({order("1", Kind::kCancel, {.domain = "a.example"})});
  slow.let_go();
  EVENTUALLY(system_.committed() == 1);
  EXPECT_THAT(system_.story(),
              ElementsAre("delivered one@a.example 250 dot", "deferred two@a.example 450 RCPT",
                          "cancelled two@a.example 0 "));
  EXPECT_THAT(system_.retries(), IsEmpty());
}

TEST_F(SenderUnderCommands, EachKeyOfAFilterIsCompared) {
  defers_ = true;
  system_.start();
  system_.put({.domain = "a.example", .tags = {"spring"}});
  system_.put({.domain = "b.example", .urgent = true});
  const MessageId id = system_.put({.domain = "c.example"});
  system_.put({.domain = "d.example", .site = "mx:d"});
  system_.put({.domain = "e.example"});
  EVENTUALLY(system_.parked().size() == 5);
  system_.commands.set({order("1", Kind::kCancel, {.tag = "spring"}),
                        order("2", Kind::kCancel, {.of_class = Filter::Class::kUrgent}),
                        order("3", Kind::kCancel, {.message = id}),
                        order("4", Kind::kCancel, {.site = "mx:d", .pool = "default"})});
  EVENTUALLY(system_.parked().size() == 1);
  EXPECT_EQ(system_.parked().front().domain(), "e.example");
  for (const char* number : {"1", "2", "3", "4"})
    EXPECT_EQ(system_.commands.touched(CommandId(number)).deliveries, 1U) << number;
}

TEST_F(SenderUnderCommands, WithASuspendedSourceOthersGoOn) {
  for (const char* name : {"first", "second"})
    system_.control.sources[name].name = SourceName(name);
  system_.control.pools["default"].members = {{SourceName("first"), 1}, {SourceName("second"), 1}};
  const Command first = order("1", Kind::kSuspend, {.tenant = "acme", .source = "first"});
  const Command second = order("2", Kind::kSuspend, {.source = "second"});
  const auto from = [this](const char* source) {
    const std::vector<record::Event> events = system_.events();
    return std::ranges::count_if(events, [source](const record::Event& event) {
      return event.head.type() == v1::DELIVERED && event.head.source() == source;
    });
  };
  system_.commands.set({first});
  system_.start();
  for (int i = 0; i < 20; ++i) system_.put({});
  EVENTUALLY(from("second") == 20);
  // With none left its mail is set aside; whoever the command is not about goes on.
  system_.commands.set({first, second});
  for (int i = 0; i < 20; ++i) system_.put({});
  for (int i = 0; i < 5; ++i) system_.put({.tenant = "other"});
  EVENTUALLY(suspended() == 20);
  EVENTUALLY(from("first") == 5);
  EVENTUALLY(system_.committed() == 45);
  EXPECT_EQ(from("second"), 20);
  system_.commands.set({second});
  EVENTUALLY(from("first") == 25);
  EVENTUALLY(system_.retries().empty());
}

TEST_F(SenderUnderCommands, DeliveriesAreListedAndShown) {
  defers_ = true;
  const Command suspend = order("1", Kind::kSuspend, {.domain = "b.example"});
  system_.commands.set({suspend});
  system_.start();
  const MessageId parked = system_.put({.recipients = {"one", "two"}, .tags = {"spring"}});
  EVENTUALLY(system_.parked().size() == 1);
  system_.put({.domain = "b.example", .tenant = "other"});
  EVENTUALLY(suspended() == 1);
  using admin::DeliveryState;
  const auto all = system_.role().deliveries({}, 10).value();
  EXPECT_EQ(all.deliveries, 2U);
  EXPECT_EQ(all.recipients, 3U);
  ASSERT_THAT(all.rows, SizeIs(2));
  EXPECT_EQ(all.rows[0].state, DeliveryState::kParked);
  EXPECT_EQ(all.rows[0].id.message, parked);
  EXPECT_THAT(all.rows[0].tags, ElementsAre("spring"));
  EXPECT_EQ(all.rows[1].state, DeliveryState::kSuspended);
  EXPECT_EQ(system_.role().deliveries({.tag = "spring"}, 0).value().recipients, 2U);
  EXPECT_THAT(system_.role().deliveries({.tag = "spring"}, 0).value().rows, IsEmpty());
  EXPECT_EQ(system_.role().deliveries({.tenant = "nobody"}, 10).value().deliveries, 0U);

  const auto shown = system_.role().delivery(all.rows[0].id).value();
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->attempts, 1U);
  EXPECT_EQ(shown->last_reply, "450 4.2.0 later (MAIL)");
  ASSERT_THAT(shown->recipients, SizeIs(2));
  EXPECT_EQ(shown->recipients[1].address, "two@a.example");
  EXPECT_EQ(shown->command, "");
  EXPECT_GT(shown->expires, shown->row.due);
  EXPECT_EQ(system_.role().delivery(all.rows[1].id).value()->command, "suspend 1: wrong price");
  EXPECT_FALSE(system_.role().delivery({MessageId{}, 0}).value());
}

TEST_F(SenderUnderCommands, WhatIsInMemoryIsListedToo) {
  HangingPeer slow(takes_all);
  system_.route_all_to(slow->port());
  system_.control.shaping.push_back({.is_default = true, .connection_limit = 1});
  system_.start();
  const MessageId active = system_.put({});
  EVENTUALLY(slow->mail_times().size() == 1);
  const MessageId waiting = system_.put({.tenant = "other"});
  EVENTUALLY(system_.role().deliveries({}, 10).value().rows.size() == 2);
  const auto state = [&](const MessageId& id) {
    return system_.role().delivery({id, 0}).value().value().row.state;
  };
  EXPECT_EQ(state(active), admin::DeliveryState::kActive);
  EXPECT_EQ(state(waiting), admin::DeliveryState::kWaiting);
  slow.let_go();
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  EVENTUALLY(system_.role().deliveries({}, 10).value().deliveries == 0);
}

TEST_F(SenderUnderCommands, ManyAreHeldAndResumedWhateverTheWindow) {
  system_.config.window.records = 16;
  system_.config.window.parked = 64;
  system_.config.window.lane_share = 8;
  system_.commands.set({order("1", Kind::kSuspend, {.domain = "a.example"})});
  system_.start();
  for (int i = 0; i < 300; ++i) system_.put({});
  system_.put({.domain = "b.example", .recipients = {"two"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);  // behind all of them
  EVENTUALLY(suspended() == 300);
  system_.commands.set({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 301);
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(queued(), 0U);
}

TEST_F(SenderUnderCommands, WhileOnlyTheReserveIsLeftNothingIsAttemptedEither) {
  system_.log.set_bytes_free(0);
  const Command suspend = order("1", Kind::kSuspend, {.domain = "a.example"});
  system_.commands.set({suspend});
  system_.start();
  system_.put({});
  system_.put({.domain = "b.example"});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EVENTUALLY(system_.commands.touched(suspend.id).deliveries > 0);
  EXPECT_EQ(suspended(), 0U) << "there is no room to park it";
  system_.commands.set({suspend, order("2", Kind::kCancel, {.domain = "a.example"})});
  EVENTUALLY(system_.count(v1::CANCELLED) == 1);
  EVENTUALLY(system_.committed() == 2);
  EXPECT_EQ(attempts(), 1U);
}

}  // namespace
}  // namespace godwit::sender
