#include "bouncer/notification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/report/report.h"
#include "common/smtp/dot_stuffing.h"

namespace godwit::bouncer {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Noticed an_event(v1::EventType type = v1::BOUNCED, std::uint32_t index = 0) {
  Noticed out;
  v1::Event& head = out.event.head;
  const auto id = *MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e");
  head.set_type(type);
  head.set_time_unix_ms(1'763'838'644'123);
  head.set_message_id(std::string(id.octets()));
  head.set_index(index);
  head.set_attempt(1);
  head.set_tenant("acme");
  head.mutable_remote()->set_host("mx.example.net");
  head.mutable_reply()->set_code(550);
  head.mutable_reply()->set_enhanced("5.1.1");
  head.mutable_reply()->set_text("no such user");
  out.event.addresses.set_sender("s@acme.example");
  out.event.addresses.set_recipient("r" + std::to_string(index) + "@example.net");
  out.notice.set_envid("E1");
  out.notice.set_orcpt("rfc822;R@example.org");
  out.notice.set_accepted_unix_ms(1'763'838'000'000);
  out.notice.set_returned("Subject: hello\r\n");
  return out;
}

const std::string kNode = "mta.example";

// The notification as a message, and what our own reader makes of it.
struct Written {
  record::Message message;
  report::Report report;
  std::string content;
};
Written written(const std::vector<Noticed>& events) {
  const auto append = notify(events, {.node = kNode, .accepted_partitions = 4});
  EXPECT_TRUE(append);
  Written out;
  out.message = *record::decode_message(append->value);
  EXPECT_EQ(append->where.topic, log::Topic::kAccepted);
  EXPECT_EQ(append->where.partition, out.message.message_id().hash() % 4);
  EXPECT_EQ(append->key, out.message.head.message_id());
  out.content = smtp::dot_unstuffed(out.message.data.to_string());
  out.report = report::parse_report(out.content);
  return out;
}

TEST(Notification, IsAMessageOfItsOwnFromNobody) {
  const Written dsn = written({an_event()});
  const record::Message& message = dsn.message;
  EXPECT_EQ(message.envelope.sender(), "");
  ASSERT_EQ(message.envelope.recipients_size(), 1);
  EXPECT_EQ(message.envelope.recipients(0).address(), "s@acme.example");
  EXPECT_EQ(message.envelope.recipients(0).notify(), v1::Recipient::NOTIFY_NEVER);
  EXPECT_EQ(message.head.tenant(), "acme");
  EXPECT_EQ(message.head.total(), 1U);
  EXPECT_NE(message.head.message_id(), an_event().event.head.message_id());
  EXPECT_EQ(message.content.size_unstuffed(), dsn.content.size());
}

TEST(Notification, WrittenAgainIsTheSame) {
  EXPECT_EQ(written({an_event()}).message.head.message_id(),
            written({an_event()}).message.head.message_id());
  EXPECT_EQ(written({an_event()}).content, written({an_event()}).content);
  EXPECT_NE(written({an_event()}).message.head.message_id(),
            written({an_event(v1::BOUNCED, 1)}).message.head.message_id());
}

TEST(Notification, SaysWhatHappened) {
  const struct {
    v1::EventType type;
    const char* enhanced;
    report::Action action;
    const char* status;
  } cases[] = {
      {v1::BOUNCED, "5.1.1", report::Action::kFailed, "5.1.1"},
      {v1::BOUNCED, "4.3.0", report::Action::kFailed, "5.0.0"},
      {v1::EXPIRED, "4.4.1", report::Action::kFailed, "4.4.7"},
      {v1::DELIVERED, "2.0.0", report::Action::kRelayed, "2.0.0"},
      {v1::DELIVERED, "", report::Action::kRelayed, "2.0.0"},
      {v1::DEFERRED, "4.4.1", report::Action::kDelayed, "4.4.1"},
  };
  for (const auto& [type, enhanced, action, status] : cases) {
    Noticed event = an_event(type);
    event.event.head.mutable_reply()->set_enhanced(enhanced);
    const Written dsn = written({event});
    ASSERT_THAT(dsn.report.recipients, SizeIs(1));
    const report::RecipientReport& one = dsn.report.recipients[0];
    EXPECT_EQ(one.recipient, "r0@example.net");
    EXPECT_EQ(one.original, "R@example.org");
    EXPECT_EQ(one.action, action) << v1::EventType_Name(type);
    EXPECT_THAT(dsn.content, HasSubstr(std::string("\r\nStatus: ") + status + "\r\n"))
        << v1::EventType_Name(type);
    EXPECT_EQ(dsn.report.envelope_id, "E1");
  }
}

TEST(Notification, TellsOfWhatEndedTogether) {
  const Written dsn = written({an_event(v1::BOUNCED, 0), an_event(v1::BOUNCED, 1)});
  EXPECT_THAT(dsn.report.recipients, SizeIs(2));
  EXPECT_TRUE(belong_together(an_event(v1::BOUNCED, 0), an_event(v1::BOUNCED, 1)));
  EXPECT_FALSE(belong_together(an_event(v1::BOUNCED, 0), an_event(v1::DELIVERED, 1)));
  Noticed other = an_event();
  other.event.head.set_attempt(2);
  EXPECT_FALSE(belong_together(an_event(), other));
  other = an_event();
  other.event.head.set_delivery_index(7);
  EXPECT_FALSE(belong_together(an_event(), other));
}

TEST(Notification, GoesToAddressesBeyondAscii) {
  Noticed event = an_event();
  event.event.addresses.set_sender("\xc3\xa9@acme.example");
  const Written dsn = written({event});
  EXPECT_TRUE(dsn.message.head.smtputf8());
  EXPECT_TRUE(dsn.message.head.body_8bitmime());
  EXPECT_TRUE(dsn.message.content.has_8bit());
}

}  // namespace
}  // namespace godwit::bouncer
