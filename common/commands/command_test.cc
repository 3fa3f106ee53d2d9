#include "common/commands/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/manual_clock.h"
#include "common/commands/errc.h"
#include "common/commands/order.h"
#include "godwit/v1/command.pb.h"

namespace godwit::commands {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const Timestamp kNow = from_unix_ms(1'795'375'844'000);

Subject subject() {
  return {.tenant = "acme",
          .domain = "example.net",
          .site = "mx:mx1.example.net",
          .pool = "default",
          .urgent = false,
          .message = *MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e"),
          .accepted = kNow - 1h,
          .tags = {"spring", "sale"}};
}

TEST(Filter, ADeliveryFitsEveryKeyThatIsSet) {
  struct Case {
    Filter filter;
    bool fits;
  };
  const Case cases[] = {
      {{.tenant = "acme"}, true},
      {{.tenant = "acm"}, false},
      {{.tag = "sale"}, true},
      {{.tag = "autumn"}, false},
      {{.domain = "example.net"}, true},
      {{.domain = "mail.example.net"}, false},
      {{.site = "mx:mx1.example.net", .pool = "default"}, true},
      {{.site = "mx:mx1.example.net", .pool = "bulk"}, false},
      {{.of_class = Filter::Class::kBulk}, true},
      {{.of_class = Filter::Class::kUrgent}, false},
      {{.message = subject().message}, true},
      {{.message = MessageId{}}, false},
      {{.tenant = "acme", .domain = "example.net"}, true},
      {{.tenant = "other", .domain = "example.net"}, false},
      {{.tenant = "acme", .source = "a"}, true},  // whether it leaves from there is asked elsewhere
  };
  for (const Case& each : cases) {
    EXPECT_EQ(each.filter.matches(subject()), each.fits) << each.filter.to_text();
    EXPECT_FALSE(each.filter.empty());
  }
  EXPECT_TRUE(Filter{}.empty());
  EXPECT_EQ((Filter{.tenant = "acme", .of_class = Filter::Class::kUrgent}.to_text()),
            "tenant=acme class=urgent");
}

TEST(Command, CancelAndRetryMeanWhatWasAcceptedBefore) {
  for (const Kind kind : {Kind::kSuspend, Kind::kCancel, Kind::kRetry}) {
    const Command command{.id = CommandId("1"),
                          .kind = kind,
                          .filter = {.tenant = "acme"},
                          .created = kNow,
                          .accepted_until = kNow};
    Subject one = subject();
    one.accepted = kNow;
    EXPECT_TRUE(command.means(one)) << kind_name(kind);
    one.accepted = kNow + 1ms;
    EXPECT_EQ(command.means(one), kind == Kind::kSuspend) << kind_name(kind);
  }
}

TEST(Command, IsInForceUntilItIsUndoneOrPastItsEnd) {
  Command command{.id = CommandId("1"), .filter = {.tenant = "acme"}, .created = kNow};
  EXPECT_TRUE(command.in_force(kNow + 1000h));
  command.until = kNow + 1h;
  EXPECT_TRUE(command.in_force(kNow + 1h - 1ms));
  EXPECT_FALSE(command.in_force(kNow + 1h));
  EXPECT_EQ(command.state(kNow + 1h), "ended");
  command.undone = kNow + 1min;
  EXPECT_FALSE(command.in_force(kNow + 2min));
  EXPECT_EQ(command.state(kNow), "undone");
}

TEST(Command, IsReadAsItWasWritten) {
  SeededRandom random(1);
  Command command{.id = make_id(kNow, random),
                  .kind = Kind::kCancel,
                  .filter = {.tenant = "acme",
                             .tag = "sale",
                             .domain = "example.net",
                             .site = "s",
                             .pool = "p",
                             .of_class = Filter::Class::kUrgent,
                             .message = subject().message,
                             .source = "a"},
                  .reason = "wrong price",
                  .actor = "ann",
                  .node = "mta1",
                  .created = kNow,
                  .until = kNow + 1h,
                  .accepted_until = kNow + 1min,
                  .undone = kNow + 2min,
                  .undone_by = "bob",
                  .undone_reason = "right after all"};
  EXPECT_EQ(decode_command(encode(command)).value(), command);
  command.until.reset();
  command.undone.reset();
  EXPECT_EQ(decode_command(encode(command)).value(), command);
  const Progress progress{7, 9, true, kNow, "mta2"};
  EXPECT_EQ(decode_progress(encode(progress)).value(), progress);
}

TEST(Command, WhatIsNotUnderstoodIsNotACommand) {
  v1::Command good;
  good.set_version(1);
  good.set_id("1");
  good.set_kind(v1::Command::SUSPEND);
  good.mutable_filter()->set_tenant("acme");
  ASSERT_TRUE(decode_command(good.SerializeAsString()));
  const auto with = [&good](auto change) {
    v1::Command record = good;
    change(record);
    return record.SerializeAsString();
  };
  const std::pair<std::string, std::string> cases[] = {
      {"\xff\xff", "not a record"},
      {with([](auto& r) { r.set_version(2); }), "of version 2"},
      {with([](auto& r) { r.clear_kind(); }), "of an unknown kind"},
      {with([](auto& r) { r.set_kind(static_cast<v1::Command::Kind>(4)); }), "of an unknown kind"},
      {with([](auto& r) { r.clear_id(); }), "without an id"},
      {with([](auto& r) { r.clear_filter(); }), "an empty filter"},
      {with([](auto& r) { r.mutable_filter()->set_message_id("short"); }),
       "a message id that is none"},
      {with([](auto& r) {
         r.mutable_filter()->set_class_(static_cast<v1::CommandFilter::Class>(9));
       }),
       "an unknown class"},
  };
  for (const auto& [octets, why] : cases) {
    const auto decoded = decode_command(octets);
    ASSERT_FALSE(decoded) << why;
    EXPECT_EQ(decoded.error().code, Errc::kBadCommand);
    EXPECT_EQ(decoded.error().context, why);
  }
  EXPECT_FALSE(decode_progress("\xff\xff"));
  v1::CommandProgress later;
  later.set_version(2);
  EXPECT_FALSE(decode_progress(later.SerializeAsString()));
}

TEST(Command, Keys) {
  EXPECT_EQ(command_key(CommandId("ab")), "c/ab");
  EXPECT_EQ(progress_key(CommandId("ab"), 12), "p/ab/12");
  const auto of = parse_progress_key("p/ab/12");
  ASSERT_TRUE(of);
  EXPECT_EQ(of->id, CommandId("ab"));
  EXPECT_EQ(of->partition, 12U);
  for (const char* key : {"c/ab", "p/ab", "p/ab/", "p/ab/x", "p/ab/1x", "p//1", "p/ab/-1"})
    EXPECT_FALSE(parse_progress_key(key)) << key;
}

TEST(Command, IdsSortByTime) {
  SeededRandom random(1);
  const CommandId first = make_id(kNow, random);
  EXPECT_EQ(first.text().size(), 20U);
  EXPECT_LT(first, make_id(kNow + 1ms, random));
  EXPECT_NE(first, make_id(kNow, random));
}

TEST(Order, WhatMakesNoSenseIsRefusedByName) {
  const Order good{.kind = Kind::kSuspend, .filter = {.tenant = "acme"}, .reason = "because"};
  const auto with = [&good](auto change) {
    Order order = good;
    change(order);
    return order;
  };
  const std::pair<Order, std::string> cases[] = {
      {with([](Order& o) { o.filter = {}; }), "the filter is empty"},
      {with([](Order& o) { o.reason.clear(); }), "a reason is missing"},
      {with([](Order& o) { o.reason = "two\nlines"; }), "one line"},
      {with([](Order& o) { o.reason.assign(kReasonBytesMax + 1, 'x'); }), "one line"},
      {with([](Order& o) { o.reason = "\xff"; }), "one line"},
      {with([](Order& o) { o.until = kNow; }), "its end has passed"},
      {with([](Order& o) { o.filter.tenant.assign(kNameBytesMax + 1, 'x'); }), "tenant"},
      {with([](Order& o) { o.filter.tag = "\xff"; }), "tag"},
      {with([](Order& o) { o.filter.domain = "a..b"; }), "is not a domain"},
      {with([](Order& o) {
         o.kind = Kind::kCancel;
         o.filter.source = "a";
       }),
       "name a pool"},
      {with([](Order& o) {
         o.kind = Kind::kRetry;
         o.filter.source = "a";
       }),
       "name a pool"},
      {with([](Order& o) {
         o.kind = Kind::kRetry;
         o.until = kNow + 1h;
       }),
       "has no end"},
  };
  SeededRandom random(1);
  ASSERT_TRUE(make_command(good, "mta1", kNow, random));
  for (const auto& [order, why] : cases) {
    const auto command = make_command(order, "mta1", kNow, random);
    ASSERT_FALSE(command) << why;
    EXPECT_EQ(command.error().code, Errc::kBadCommand);
    EXPECT_THAT(command.error().context, HasSubstr(why));
  }
}

TEST(Order, BecomesACommand) {
  SeededRandom random(1);
  Order order{.kind = Kind::kSuspend,
              .filter = {.domain = "B\xc3\xbc"
                                   "cher.Example"},
              .reason = "because",
              .actor = "ann",
              .until = kNow + 1h};
  Command command = make_command(order, "mta1", kNow, random).value();
  EXPECT_EQ(command.filter.domain, "xn--bcher-kva.example");
  EXPECT_EQ(command.until, kNow + 1h);
  EXPECT_EQ(command.actor, "ann");
  EXPECT_EQ(command.node, "mta1");

  order.kind = Kind::kCancel;
  command = make_command(order, "mta1", kNow, random).value();
  EXPECT_EQ(command.accepted_until, kNow + 1h);
  EXPECT_EQ(command.until, kNow + 1h + kCancelKept);
  order.until.reset();
  command = make_command(order, "mta1", kNow, random).value();
  EXPECT_EQ(command.accepted_until, kNow);
  order.kind = Kind::kRetry;
  command = make_command(order, "mta1", kNow, random).value();
  EXPECT_EQ(command.accepted_until, kNow);
  EXPECT_EQ(command.until, kNow + kRetryKept);
}

}  // namespace
}  // namespace godwit::commands
