#include "sender/notice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/report/return_address.h"

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const Timestamp kAccepted = from_unix_ms(1'763'838'000'000);

class NoticeTest : public testing::Test {
 protected:
  NoticeTest() {
    auto control = std::make_shared<control::Snapshot>();
    control->tenants["default"] = {.name = TenantName("default")};
    control->tenants["quiet"] = {.name = TenantName("quiet"), .dsn = false};
    control->tenants["acme"] = {
        .name = TenantName("acme"),
        .domains = {{.name = "acme.example", .verified = true, .return_path = "b.acme.example"}}};
    control->index();
    rules_.control = control;
    rules_.return_path = &return_path_;
    delivery_.record.head.set_tenant("default");
    delivery_.record.head.set_origin_protocol("ESMTP");
    delivery_.record.head.set_accepted_unix_ms(to_unix_ms(kAccepted));
    delivery_.record.envelope.set_sender("s@acme.example");
    delivery_.record.content.set_dot_stuffed(true);
  }

  bool wants(v1::EventType type, std::uint32_t notify, bool passed_on = false,
             std::chrono::milliseconds age = 5h) const {
    v1::Recipient recipient;
    recipient.set_notify(notify);
    return wants_notice(type, delivery_, recipient, passed_on, rules_, kAccepted + age);
  }
  void content(std::string_view text) { delivery_.content = Rope(Bytes::copy_of(text)); }

  const control::ReturnPath return_path_{
      .domain = {},
      .always = false,
      .keys = std::make_shared<report::ReturnKeys>(
          std::vector<report::ReturnKey>{{1, std::string(32, 'k')}})};
  NoticeRules rules_;
  QueuedDelivery delivery_;
};

TEST_F(NoticeTest, NotifySaysWhat) {  // RFC 3461 s4.1
  constexpr std::uint32_t kUnset = 0, kNever = 1, kSuccess = 2, kFailure = 4, kDelay = 8;
  const struct {
    std::uint32_t notify;
    bool success, failure, delay;
  } cases[] = {{kUnset, false, true, false},   {kNever, false, false, false},
               {kSuccess, true, false, false}, {kFailure, false, true, false},
               {kDelay, false, false, true},   {kSuccess | kFailure | kDelay, true, true, true}};
  for (const auto& [notify, success, failure, delay] : cases) {
    EXPECT_EQ(wants(v1::DELIVERED, notify), success) << notify;
    EXPECT_EQ(wants(v1::BOUNCED, notify), failure) << notify;
    EXPECT_EQ(wants(v1::EXPIRED, notify), failure) << notify;
    EXPECT_EQ(wants(v1::DEFERRED, notify), delay) << notify;
    EXPECT_FALSE(wants(v1::ROUTED, notify)) << notify;
  }
}

TEST_F(NoticeTest, SomeAreNeverTold) {
  delivery_.record.envelope.clear_sender();
  EXPECT_FALSE(wants(v1::BOUNCED, v1::Recipient::NOTIFY_FAILURE));
  delivery_.record.envelope.set_sender("s@acme.example");
  EXPECT_TRUE(wants(v1::BOUNCED, v1::Recipient::NOTIFY_FAILURE));
  delivery_.record.head.set_tenant("quiet");
  EXPECT_FALSE(wants(v1::BOUNCED, v1::Recipient::NOTIFY_FAILURE));
  delivery_.record.head.set_tenant("default");
  delivery_.record.head.set_origin_protocol("HTTP");
  EXPECT_FALSE(wants(v1::BOUNCED, 0));
  rules_ = {};
  delivery_.record.head.set_origin_protocol("ESMTP");
  EXPECT_FALSE(wants(v1::BOUNCED, 0));
}

TEST_F(NoticeTest, MailWithAReturnAddressIsToldOnlyWhenItAsks) {
  delivery_.record.head.set_tenant("acme");
  EXPECT_FALSE(wants(v1::BOUNCED, 0));
  EXPECT_TRUE(wants(v1::BOUNCED, v1::Recipient::NOTIFY_FAILURE));
}

TEST_F(NoticeTest, SuccessIsToldByWhoeverCanSeeIt) {
  EXPECT_TRUE(wants(v1::DELIVERED, v1::Recipient::NOTIFY_SUCCESS, false));
  EXPECT_FALSE(wants(v1::DELIVERED, v1::Recipient::NOTIFY_SUCCESS, true));
}

TEST_F(NoticeTest, DelayIsToldOnceAndNotAtOnce) {
  EXPECT_FALSE(wants(v1::DEFERRED, v1::Recipient::NOTIFY_DELAY, false, 1h));
  EXPECT_TRUE(wants(v1::DEFERRED, v1::Recipient::NOTIFY_DELAY, false, 4h));
  delivery_.record.head.set_delay_told(true);
  EXPECT_FALSE(wants(v1::DEFERRED, v1::Recipient::NOTIFY_DELAY, false, 4h));
}

TEST_F(NoticeTest, ReturnsTheHeaderOrAllOfIt) {  // RFC 3461 s4.3
  const v1::Recipient recipient;
  content("Subject: x\r\n\r\n..body\r\n");
  v1::Notice notice = make_notice(v1::BOUNCED, delivery_, recipient, true);
  EXPECT_EQ(notice.returned(), "Subject: x\r\n");
  EXPECT_FALSE(notice.whole());
  EXPECT_EQ(make_notice(v1::BOUNCED, delivery_, recipient, false).returned(), "");
  delivery_.record.envelope.set_ret(v1::Envelope::RET_FULL);
  notice = make_notice(v1::BOUNCED, delivery_, recipient, true);
  EXPECT_EQ(notice.returned(), "Subject: x\r\n\r\n.body\r\n");
  EXPECT_TRUE(notice.whole());
  EXPECT_FALSE(make_notice(v1::DELIVERED, delivery_, recipient, true).whole());
  content("Subject: x\r\n\r\n" + std::string(kReturnedWholeBytesMax, 'b') + "\r\n");
  notice = make_notice(v1::BOUNCED, delivery_, recipient, true);
  EXPECT_EQ(notice.returned(), "Subject: x\r\n");
  EXPECT_FALSE(notice.whole());
}

TEST_F(NoticeTest, WhatPeopleKnowAMessageByIsKept) {
  content("Received: from a\r\nSubject: x\r\nX-Long: " + std::string(5'000, 'l') +
          "\r\nFrom: a@b.example\r\nTo: " + std::string(3'000, 't') + "\r\n\r\nbody\r\n");
  keep_header(delivery_);
  EXPECT_EQ(delivery_.record.head.header(), "Subject: x\r\nFrom: a@b.example\r\n");
  delivery_.content = {};
  EXPECT_EQ(make_notice(v1::EXPIRED, delivery_, {}, true).returned(),
            "Subject: x\r\nFrom: a@b.example\r\n");
}

}  // namespace
}  // namespace godwit::sender
