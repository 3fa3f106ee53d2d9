#include "common/report/delivery_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace godwit::report {
namespace {

using testing::SizeIs;

// Names of the blocks' Final-Recipient, for short.
std::vector<std::string> finals(const DeliveryStatus& status) {
  std::vector<std::string> out;
  for (const StatusFields& fields : status.recipients)
    out.emplace_back(value_of(fields, "final-recipient"));
  return out;
}

TEST(DeliveryStatus, TheExampleOfTheStandard) {  // RFC 3464 appendix D.2
  const DeliveryStatus status = parse_delivery_status(
      "Reporting-MTA: dns; cs.utk.edu\r\n\r\n"
      "Original-Recipient: rfc822;arathib@vnet.ibm.com\r\n"
      "Final-Recipient: rfc822;arathib@vnet.ibm.com\r\n"
      "Action: failed\r\nStatus: 5.0.0 (permanent failure)\r\n"
      "Diagnostic-Code: smtp;\r\n 550 'arathib@vnet.IBM.COM' is not a\r\n registered gateway "
      "user\r\n"
      "Remote-MTA: dns; vnet.ibm.com\r\n\r\n"
      "Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com\r\nAction: delayed\r\nStatus: 4.0.0\r\n");
  EXPECT_EQ(value_of(status.message, "Reporting-MTA"), "dns; cs.utk.edu");
  ASSERT_THAT(status.recipients, SizeIs(2));
  EXPECT_EQ(value_of(status.recipients[0], "DIAGNOSTIC-CODE"),
            "smtp; 550 'arathib@vnet.IBM.COM' is not a registered gateway user");
  EXPECT_EQ(value_of(status.recipients[1], "Action"), "delayed");
  EXPECT_EQ(value_of(status.recipients[1], "Remote-MTA"), "");
}

TEST(DeliveryStatus, WhatReportersGetWrong) {
  const struct {
    const char* what;
    std::string body;
    std::vector<std::string> finals;
  } cases[] = {
      {"nothing", "", {}},
      {"no fields", "hello\n\nworld\n", {}},
      {"no fields of the message", "Final-Recipient: rfc822;a@b\nAction: failed\n", {"rfc822;a@b"}},
      {"empty lines between fields",
       "Reporting-MTA: dns;x\n\nFinal-Recipient: rfc822;a@b\n\nStatus: 5.1.1\n",
       {"rfc822;a@b"}},
      {"no empty line between recipients",
       "Final-Recipient: rfc822;a@b\nAction: failed\nFinal-Recipient: rfc822;c@d\nAction: failed\n",
       {"rfc822;a@b", "rfc822;c@d"}},
      {"the action in a block of its own",
       "Final-Recipient: rfc822;a@b\n\nAction: failed\n",
       {"rfc822;a@b"}},
      {"a fold before any field", " folded\nFinal-Recipient: rfc822;a@b\n", {"rfc822;a@b"}},
      {"no field name", "a b: c\nFinal-Recipient : rfc822;a@b\n", {"rfc822;a@b"}},
      {"no line end", "Final-Recipient: rfc822;a@b", {"rfc822;a@b"}},
  };
  for (const auto& test : cases)
    EXPECT_EQ(finals(parse_delivery_status(test.body)), test.finals) << test.what;
}

TEST(DeliveryStatus, IsBounded) {
  std::string body;
  for (std::size_t i = 0; i < kStatusRecipientsMax + 10; ++i)
    body += "Final-Recipient: rfc822;a@b\nAction: failed\n\n";
  EXPECT_THAT(parse_delivery_status(body).recipients, SizeIs(kStatusRecipientsMax));
  std::string fields = "Final-Recipient: rfc822;a@b\n";
  for (std::size_t i = 0; i < kStatusFieldsMax * 2; ++i) fields += "X: y\n";
  EXPECT_THAT(parse_delivery_status(fields).recipients.at(0), SizeIs(kStatusFieldsMax));
  std::string folds = "Final-Recipient: rfc822;a@b\nDiagnostic-Code: " + std::string(5'000, 'x');
  for (int i = 0; i < 10'000; ++i) folds += "\n more";
  const DeliveryStatus status = parse_delivery_status(folds);
  EXPECT_LE(value_of(status.recipients.at(0), "Diagnostic-Code").size(), kStatusValueBytesMax);
}

TEST(DeliveryStatus, Actions) {
  for (const Action action : {Action::kFailed, Action::kDelayed, Action::kDelivered,
                              Action::kRelayed, Action::kExpanded}) {
    EXPECT_EQ(action_of(action_name(action)), action);
  }
  EXPECT_EQ(action_of(" FAILED (after 3 days)"), Action::kFailed);
  EXPECT_EQ(action_of("failure"), Action::kUnset);
  EXPECT_EQ(action_of(""), Action::kUnset);
  EXPECT_EQ(action_name(Action::kUnset), "");
}

TEST(TypedText, IsTakenApart) {
  const struct {
    std::string_view value, type, text;
  } cases[] = {
      {"rfc822; a@b", "rfc822", "a@b"},
      {"RFC822;<a@b>", "rfc822", "a@b"},
      {"utf-8; \xc3\xbc@b", "utf-8", "\xc3\xbc@b"},
      {"a@b", "", "a@b"},
      {"rfc822;", "rfc822", ""},
      {"", "", ""},
      {"smtp; 550 5.1.1; see x", "smtp", "550 5.1.1; see x"},
  };
  for (const auto& [value, type, text] : cases) {
    EXPECT_EQ(typed_text(value).type, type) << value;
    EXPECT_EQ(typed_text(value).text, text) << value;
  }
}

TEST(QuotedReply, IsFoundInText) {
  const struct {
    std::string_view text;
    int code;
    std::string_view enhanced;
  } cases[] = {
      {"550 5.1.1 no such user", 550, "5.1.1"},
      {"550-5.7.26 Unauthenticated", 550, "5.7.26"},
      {"554 554 5.7.1 Service unavailable", 554, "5.7.1"},
      {"Remote host said: 450 4.2.2 full", 450, "4.2.2"},
      {"host mx[192.0.2.1] said: 550 unknown user", 550, ""},
      {"Sorry, no mailbox here by that name. (#5.1.1)", 0, "5.1.1"},
      {"#5.1.0 smtp; 5.1.0 - Unknown address", 0, "5.1.0"},
      {"5.1.1", 0, "5.1.1"},
      {"550", 550, ""},
      // No codes: addresses, versions, sizes, dates.
      {"host 5.1.1.7 did not answer", 0, ""},
      {"connect to 192.0.2.55[192.0.2.55]", 0, ""},
      {"Exim version 4.94.2", 0, ""},
      {"queued since 2550 seconds, 4500 octets", 0, ""},
      {"", 0, ""},
  };
  for (const auto& [text, code, enhanced] : cases) {
    const QuotedReply reply = quoted_reply(text);
    EXPECT_EQ(reply.code, code) << text;
    EXPECT_EQ(reply.enhanced ? reply.enhanced->to_text() : "", enhanced) << text;
  }
}

}  // namespace
}  // namespace godwit::report
