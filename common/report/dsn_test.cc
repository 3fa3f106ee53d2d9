#include "common/report/dsn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "common/report/mime.h"
#include "common/report/report.h"
#include "common/text/escape.h"

namespace godwit::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

DsnContent a_failure() {
  DsnContent content;
  content.id = derived_id(from_unix_ms(1'763'838'644'123), "a cause");
  content.host = "mta1.acme.example";
  content.to = "sender@acme.example";
  content.now = from_unix_ms(1'763'838'645'000);
  content.arrival = from_unix_ms(1'763'838'000'000);
  content.envelope_id = "QQ314159";
  content.recipients.push_back({.recipient = "nobody@example.net",
                                .orcpt = "rfc822;Nobody@example.org",
                                .action = Action::kFailed,
                                .status = {5, 1, 1},
                                .remote_host = "mx.example.net",
                                .diagnostic = "550 5.1.1 no such user",
                                .last_attempt = from_unix_ms(1'763'838'644'000),
                                .will_retry_until = {}});
  content.returned = "Subject: hello\r\nFrom: sender@acme.example\r\n";
  return content;
}

// Each line as RFC 5322 wants it.
void expect_well_formed(const std::string& content) {
  std::size_t line = 0;
  while (line < content.size()) {
    const std::size_t end = content.find("\r\n", line);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - line, 998U);
    EXPECT_EQ(content.substr(line, end - line).find_first_of("\r\n"), std::string::npos);
    line = end + 2;
  }
}

TEST(Dsn, IsReadBackByOurOwnReader) {
  const Dsn dsn = write_dsn(a_failure());
  expect_well_formed(dsn.content);
  EXPECT_FALSE(dsn.has_8bit);
  EXPECT_FALSE(dsn.smtputf8);
  const Report report = parse_report(dsn.content);
  EXPECT_EQ(report.kind, Kind::kBounce);
  EXPECT_TRUE(report.machine_readable);
  EXPECT_EQ(report.reporting_host, "mta1.acme.example");
  EXPECT_EQ(report.envelope_id, "QQ314159");
  ASSERT_THAT(report.recipients, SizeIs(1));
  const RecipientReport& one = report.recipients[0];
  EXPECT_EQ(one.recipient, "nobody@example.net");
  EXPECT_EQ(one.original, "Nobody@example.org");
  EXPECT_EQ(one.action, Action::kFailed);
  EXPECT_EQ(one.status->to_text(), "5.1.1");
  EXPECT_EQ(one.remote_host, "mx.example.net");
  EXPECT_EQ(one.diagnostic, "550 5.1.1 no such user");
  EXPECT_EQ(one.category, "bad-mailbox");
}

TEST(Dsn, HasThePartsOfTheStandard) {
  const Dsn dsn = write_dsn(a_failure());
  const Parts parts = take_apart(dsn.content);
  EXPECT_EQ(parts.type, "multipart/report");
  EXPECT_EQ(parts.report_type, "delivery-status");
  ASSERT_THAT(parts.leaves, SizeIs(3));
  EXPECT_EQ(parts.leaves[0].type, "text/plain");
  EXPECT_EQ(parts.leaves[1].type, "message/delivery-status");
  EXPECT_EQ(parts.leaves[2].type, "text/rfc822-headers");
  EXPECT_THAT(dsn.content, HasSubstr("\r\nAuto-Submitted: auto-replied\r\n"));
  EXPECT_THAT(dsn.content, HasSubstr("\r\nLast-Attempt-Date: "));
  EXPECT_THAT(dsn.content, Not(HasSubstr("Will-Retry-Until")));
}

TEST(Dsn, SaysWhatTheActionIs) {
  const struct {
    Action action;
    std::string_view says;
  } cases[] = {{Action::kFailed, "could not be delivered to"},
               {Action::kDelayed, "not be delivered yet"},
               {Action::kDelivered, "was delivered"},
               {Action::kRelayed, "was handed to"}};
  for (const auto& [action, says] : cases) {
    DsnContent content = a_failure();
    content.recipients[0].action = action;
    content.recipients[0].will_retry_until = from_unix_ms(1'764'000'000'000);
    const Dsn dsn = write_dsn(content);
    EXPECT_THAT(dsn.content, HasSubstr(std::string(says)));
    EXPECT_THAT(dsn.content, HasSubstr("Action: " + std::string(action_name(action))));
    EXPECT_THAT(dsn.content, HasSubstr("Will-Retry-Until: "));
  }
}

TEST(Dsn, WholeMessagesAreOfTheirType) {
  DsnContent content = a_failure();
  content.returned += "\r\nbody with \xc3\xbc\r\n";
  content.returned_whole = true;
  const Dsn dsn = write_dsn(content);
  EXPECT_TRUE(dsn.has_8bit);
  const Parts parts = take_apart(dsn.content);
  EXPECT_EQ(parts.leaves.at(2).type, "message/rfc822");
  EXPECT_EQ(parts.leaves.at(2).encoding, "8bit");
  EXPECT_THAT(std::string(parts.leaves.at(2).body), HasSubstr("body with \xc3\xbc"));

  content.returned = "Subject: \xc3\xbc\r\n\r\nbody\r\n";
  EXPECT_EQ(take_apart(write_dsn(content).content).leaves.at(2).type, "message/global");
  content.returned_whole = false;
  EXPECT_EQ(take_apart(write_dsn(content).content).leaves.at(2).type, "message/global-headers");
  content.returned.clear();
  EXPECT_THAT(take_apart(write_dsn(content).content).leaves, SizeIs(2));
}

TEST(Dsn, AddressesBeyondAscii) {  // RFC 6533 s3, s4
  DsnContent content = a_failure();
  content.recipients[0].recipient = "\xc3\xbc@example.net";
  content.recipients[0].orcpt = "utf-8;\xc3\xbc@example.net";
  const Dsn to_ascii = write_dsn(content);
  EXPECT_FALSE(to_ascii.smtputf8);
  EXPECT_THAT(to_ascii.content, HasSubstr("Final-Recipient: utf-8; \\x{FC}@example.net\r\n"));
  EXPECT_THAT(to_ascii.content, HasSubstr("Content-Type: message/delivery-status\r\n"));
  content.to = "\xc3\xa9@acme.example";
  const Dsn to_utf8 = write_dsn(content);
  EXPECT_TRUE(to_utf8.smtputf8);
  EXPECT_THAT(to_utf8.content, HasSubstr("Final-Recipient: utf-8; \xc3\xbc@example.net\r\n"));
  EXPECT_THAT(to_utf8.content, HasSubstr("Content-Type: message/global-delivery-status\r\n"));
}

TEST(Dsn, WhatPeersSayCannotBreakOut) {
  DsnContent content = a_failure();
  content.recipients[0].diagnostic =
      "550 \r\n\r\nFinal-Recipient: rfc822; other@example.net\r\nAction: failed" +
      std::string(5'000, '\xfc');
  content.recipients[0].remote_host = "evil\r\nX: y";
  content.envelope_id = "a\r\nReporting-MTA: dns; evil";
  // A returned message that knows the boundary.
  const std::string boundary = "godwit-" + content.id.to_text();
  content.returned =
      "Subject: x\r\n\r\n--" + boundary + "\r\n\r\nno part\r\n--" + boundary + "--\r\n";
  content.returned_whole = true;
  const Dsn dsn = write_dsn(content);
  expect_well_formed(dsn.content);
  const Parts parts = take_apart(dsn.content);
  ASSERT_THAT(parts.leaves, SizeIs(3));
  EXPECT_THAT(std::string(parts.leaves[2].body), HasSubstr("no part"));
  EXPECT_THAT(parse_delivery_status(parts.leaves[1].body).recipients, SizeIs(1));
}

TEST(DerivedId, IsTheSameForTheSame) {
  const Timestamp time = from_unix_ms(1'763'838'644'123);
  const MessageId id = derived_id(time, "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/0/bounced/1");
  EXPECT_EQ(id, derived_id(time, "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/0/bounced/1"));
  EXPECT_NE(id, derived_id(time, "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/1/bounced/1"));
  EXPECT_EQ(id.time(), time);
  EXPECT_EQ(id.to_text()[14], '7');
  EXPECT_EQ(MessageId::from_text(id.to_text()), id);
}

}  // namespace
}  // namespace godwit::report
