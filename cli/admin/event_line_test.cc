#include "cli/admin/event_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/record/records.h"

namespace godwit::cli::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kTime = 1'767'225'600'123;

record::Event event(v1::EventType type) {
  record::Event event;
  event.head.set_type(type);
  event.head.set_time_unix_ms(kTime);
  event.head.set_message_id(std::string(16, '\0'));
  event.head.set_index(3);
  event.addresses.set_recipient("ann@example.net");
  return event;
}

TEST(EventLine, Accepted) {
  EXPECT_EQ(event_line(event(v1::ACCEPTED)),
            "2026-01-01 00:00:00.123  accepted    00000000-0000-0000-0000-000000000000/3  "
            "ann@example.net\n");
}

TEST(EventLine, Delivered) {
  auto delivered = event(v1::DELIVERED);
  delivered.head.set_attempt(2);
  delivered.head.mutable_remote()->set_host("mx.example.net");
  delivered.head.mutable_remote()->set_address("192.0.2.1");
  delivered.head.mutable_reply()->set_code(250);
  delivered.head.mutable_reply()->set_enhanced("2.0.0");
  delivered.head.mutable_reply()->set_text("Ok");
  EXPECT_THAT(event_line(delivered),
              HasSubstr("  delivered   00000000-0000-0000-0000-000000000000/3  ann@example.net  "
                        "attempt 2 via mx.example.net (192.0.2.1)  250 2.0.0 Ok\n"));
}

TEST(EventLine, DeferredSaysWhenNext) {
  auto deferred = event(v1::DEFERRED);
  deferred.head.set_attempt(1);
  deferred.head.set_class_("greylisted");
  deferred.head.set_outcome(v1::Event::OUTCOME_UNKNOWN);
  deferred.head.set_due_unix_ms(kTime + 1'200'000);
  EXPECT_THAT(event_line(deferred),
              HasSubstr("  attempt 1  [greylisted]  outcome unknown  next in 20m0s\n"));
}

TEST(EventLine, RoutedSaysWhere) {
  auto routed = event(v1::ROUTED);
  routed.head.set_site("example.net");
  EXPECT_THAT(event_line(routed), HasSubstr("  ann@example.net  to example.net\n"));
}

TEST(EventLine, StaysOneHarmlessLine) {
  auto hostile = event(v1::BOUNCED);
  hostile.head.set_attempt(1);
  hostile.head.set_late(true);
  hostile.addresses.set_recipient("a\x1b[2J\n@x");
  hostile.head.mutable_remote()->set_host("\x1b]0;x\x07");
  hostile.head.mutable_reply()->set_text("no\r\n" + std::string(5'000, 'x'));
  const std::string line = event_line(hostile);
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, HasSubstr("  late\n"));
  EXPECT_LT(line.size(), 1'000u);
}

}  // namespace
}  // namespace godwit::cli::admin
