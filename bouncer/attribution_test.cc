#include "bouncer/attribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/record/event_view.h"
#include "common/report/return_address.h"

namespace godwit::bouncer {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class AttributionTest : public testing::Test {
 protected:
  AttributionTest() {
    control_.tenants["default"] = {.name = TenantName("default")};
    control_.tenants["acme"] = {.name = TenantName("acme")};
    message_.head.set_tenant("default");
  }

  [[nodiscard]] std::string return_address(const report::ReturnKeys& keys) const {
    return keys.encode({.message = id_, .index = 7, .tenant_tag = report::tenant_tag("acme")},
                       "bounces.example");
  }
  void came_to(const std::string& address) {
    message_.envelope.clear_recipients();
    message_.envelope.add_recipients()->set_address(address);
  }
  std::vector<record::Event> events(const report::Report& report) {
    return attribute(report, message_,
                     {.control = control_,
                      .return_path = return_path_,
                      .node = node_,
                      .now = from_unix_ms(1'763'838'644'123)});
  }
  static report::Report a_bounce(report::Action action = report::Action::kFailed) {
    report::Report report;
    report.kind = report::Kind::kBounce;
    report::RecipientReport one;
    one.recipient = "final@example.net";
    one.original = "first@example.org";
    one.action = action;
    one.status = smtp::EnhancedCode{5, 1, 1};
    one.code = 550;
    one.remote_host = "mx.example.net";
    one.diagnostic = "550 5.1.1 no such user";
    one.category = "bad-mailbox";
    report.recipients.push_back(one);
    return report;
  }

  const MessageId id_ = *MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e");
  const std::string node_ = "node1";
  control::Snapshot control_;
  const control::ReturnPath return_path_{
      .domain = "bounces.example",
      .always = true,
      .keys = std::make_shared<report::ReturnKeys>(
          std::vector<report::ReturnKey>{{1, std::string(32, 'k')}})};
  record::Message message_;
};

TEST_F(AttributionTest, AFailureIsALateBounceOfTheRecipientTheAddressNames) {
  came_to(return_address(*return_path_.keys));
  const auto found = events(a_bounce());
  ASSERT_THAT(found, SizeIs(1));
  const v1::Event& head = found[0].head;
  EXPECT_EQ(record::event_id(head), "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/7/bounced/0");
  EXPECT_EQ(head.type(), v1::BOUNCED);
  EXPECT_TRUE(head.late());
  EXPECT_FALSE(record::is_terminal(head));
  EXPECT_EQ(head.index(), 7U);
  EXPECT_EQ(head.tenant(), "acme");  // by the tag
  EXPECT_EQ(head.class_(), "bad-mailbox");
  EXPECT_EQ(head.reply().code(), 550U);
  EXPECT_EQ(head.reply().enhanced(), "5.1.1");
  EXPECT_EQ(head.remote().host(), "mx.example.net");
  EXPECT_EQ(found[0].addresses.recipient(), "first@example.org");
}

TEST_F(AttributionTest, ABounceThatSaysNothingStillCounts) {
  came_to(return_address(*return_path_.keys));
  report::Report report;
  report.kind = report::Kind::kBounce;
  const auto found = events(report);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].head.class_(), "other");
}

TEST_F(AttributionTest, WhatIsNoFailureGivesNoEvent) {
  came_to(return_address(*return_path_.keys));
  for (const auto action : {report::Action::kDelayed, report::Action::kDelivered,
                            report::Action::kRelayed, report::Action::kExpanded}) {
    EXPECT_THAT(events(a_bounce(action)), IsEmpty());
  }
  for (const auto kind :
       {report::Kind::kOther, report::Kind::kAutoreply, report::Kind::kUnsubscribe}) {
    report::Report report = a_bounce();
    report.kind = kind;
    EXPECT_THAT(events(report), IsEmpty());
  }
}

TEST_F(AttributionTest, ForgedAddressesSayNothing) {
  const report::ReturnKeys forger({{1, std::string(32, 'f')}});
  for (const std::string& address :
       {return_address(forger), std::string("postmaster@bounces.example"), std::string("x")}) {
    came_to(address);
    EXPECT_THAT(events(a_bounce()), IsEmpty()) << address;
  }
}

TEST_F(AttributionTest, FeedbackIsAComplaint) {
  report::Report report;
  report.kind = report::Kind::kFeedback;
  report.recipients.resize(1);
  report.recipients[0].recipient = "a@isp.example";
  came_to("abuse@bounces.example");
  EXPECT_THAT(events(report), IsEmpty());  // about which mail?
  report.original_sender = return_address(*return_path_.keys);
  const auto found = events(report);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].head.type(), v1::COMPLAINED);
  EXPECT_FALSE(found[0].head.late());
  EXPECT_EQ(found[0].addresses.recipient(), "a@isp.example");
}

TEST_F(AttributionTest, ATenantThatIsGoneLeavesItToTheDomainsOwner) {
  control_.tenants.erase("acme");
  came_to(return_address(*return_path_.keys));
  EXPECT_EQ(events(a_bounce()).at(0).head.tenant(), "default");
}

}  // namespace
}  // namespace godwit::bouncer
