#include "common/admin/convert.h"

#include <gtest/gtest.h>

#include "common/admin/errc.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

// Every count differs, so that one that is forgotten or mixed up shows.
TEST(Convert, ReportSurvivesWhole) {
  audit::Report report{.accepted = 1,
                       .delivered = 2,
                       .bounced = 3,
                       .expired = 4,
                       .suppressed = 5,
                       .cancelled = 6,
                       .pending_unrouted = 7,
                       .pending_outbound = 8,
                       .pending_parked = 9,
                       .held = 10,
                       .missing = 11,
                       .doubled = 12,
                       .doubled_outside = 13,
                       .repeated_records = 14,
                       .late_bounces = 15,
                       .outside = 16,
                       .ended_and_queued = 17,
                       .unreadable_records = 18,
                       .passes = 19,
                       .duration_ms = 20};
  const RecipientId recipient{*MessageId::from_octets(std::string(16, 'x')), 4};
  report.exceptions = {{audit::Exception::Kind::kMissing, recipient, {}},
                       {audit::Exception::Kind::kDoubled,
                        recipient,
                        {{audit::Ending::kExpired, 2}, {audit::Ending::kDelivered, 3}}}};
  v1::AuditReport message;
  to_message(report, message);
  EXPECT_EQ(from_message(message), report);
}

TEST(Convert, EventQuerySurvivesWhole) {
  const accounting::EventQuery query{.since = from_unix_ms(7),
                                     .only_new = true,
                                     .follow = true,
                                     .types = {4, 5},
                                     .tenant = "acme",
                                     .message = MessageId::from_octets(std::string(16, 'x')),
                                     .recipient = "@example.net",
                                     .site = "example"};
  v1::EventsRequest message;
  to_message(query, message);
  const auto back = from_message(message);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->since, query.since);
  EXPECT_TRUE(back->only_new);
  EXPECT_TRUE(back->follow);
  EXPECT_EQ(back->types, query.types);
  EXPECT_EQ(back->tenant, query.tenant);
  EXPECT_EQ(back->message, query.message);
  EXPECT_EQ(back->recipient, query.recipient);
  EXPECT_EQ(back->site, query.site);
}

TEST(Convert, RefusesWhatMakesNoSense) {
  v1::EventsRequest events;
  events.set_message_id("short");
  EXPECT_EQ(from_message(events).error().code, Errc::kInvalid);
  events.clear_message_id();
  events.add_types(static_cast<godwit::v1::EventType>(99));
  EXPECT_EQ(from_message(events).error().code, Errc::kInvalid);

  v1::QueueSummaryRequest queue;
  queue.set_by(static_cast<v1::QueueSummaryRequest::By>(7));
  EXPECT_EQ(from_message(queue).error().code, Errc::kInvalid);
  queue.set_by(v1::QueueSummaryRequest::LANE);
  queue.set_rows_max(1'001);
  EXPECT_EQ(from_message(queue).error().code, Errc::kInvalid);
  queue.set_rows_max(0);
  EXPECT_EQ(from_message(queue)->rows_max, 50u);
}

}  // namespace
}  // namespace godwit::admin
