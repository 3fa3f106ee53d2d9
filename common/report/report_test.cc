#include "common/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/random.h"
#include "common/report/bounce_text.h"
#include "common/report/mime.h"
#include "common/report/report_view.h"
#include "common/text/escape.h"

namespace godwit::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::vector<std::string> names(const Report& report) {
  std::vector<std::string> out;
  for (const RecipientReport& one : report.recipients) out.push_back(one.recipient);
  return out;
}

std::string dsn_with(std::string_view type, std::string_view status_part) {
  return "From: MAILER-DAEMON@h.example\r\nTo: s@acme.example\r\nMIME-Version: 1.0\r\n"
         "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b1\"\r\n\r\n"
         "--b1\r\n\r\nSorry.\r\n--b1\r\nContent-Type: " +
         std::string(type) + "\r\n\r\n" + std::string(status_part) +
         "\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\nReturn-Path: <s@acme.example>\r\n"
         "To: a@b.example\r\n\r\nbody\r\n--b1--\r\n";
}

TEST(Report, ADeliveryStatus) {
  const Report report = parse_report(
      dsn_with("message/delivery-status",
               "Reporting-MTA: dns; h.example\r\nOriginal-Envelope-Id: E1\r\n\r\n"
               "Original-Recipient: rfc822;A@b.example\r\nFinal-Recipient: rfc822;a@c.example\r\n"
               "Action: failed\r\nStatus: 5.2.2\r\nRemote-MTA: dns; mx.c.example\r\n"
               "Diagnostic-Code: smtp; 552 5.2.2 over quota\r\n"));
  EXPECT_EQ(report.kind, Kind::kBounce);
  EXPECT_TRUE(report.machine_readable);
  EXPECT_EQ(report.envelope_id, "E1");
  ASSERT_THAT(report.recipients, SizeIs(1));
  const RecipientReport& one = report.recipients[0];
  EXPECT_EQ(one.recipient, "a@c.example");
  EXPECT_EQ(one.original, "A@b.example");
  EXPECT_EQ(one.code, 552);
  EXPECT_EQ(one.category, "quota-issues");
  EXPECT_TRUE(one.meaning.permanent);
  EXPECT_FALSE(one.meaning.suppress);
}

TEST(Report, StatusAndActionAreTheBestThatIsSaid) {
  const struct {
    const char* fields;
    const char* action;
    const char* status;
    const char* category;
  } cases[] = {
      {"Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 5.1.1 x\r\n", "failed",
       "5.1.1", "bad-mailbox"},
      {"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 552 5.2.2 x\r\n", "failed",
       "5.2.2", "quota-issues"},
      // Not as final as the field says: the field counts.
      {"Action: failed\r\nStatus: 5.4.7\r\nDiagnostic-Code: smtp; 451 4.3.0 x\r\n", "failed",
       "5.4.7", "message-expired"},
      {"Action: delayed\r\nStatus: 4.4.1\r\n", "delayed", "4.4.1", "no-answer-from-host"},
      {"Action: failed\r\n", "failed", "5.0.0", "other"},
      {"Action: delayed\r\n", "delayed", "4.0.0", "other"},
      {"Status: 4.2.2\r\n", "delayed", "4.2.2", "quota-issues"},
      {"Action: delivered\r\nStatus: 2.0.0\r\n", "delivered", "2.0.0", ""},
      {"Action: relayed\r\nStatus: 2.0.0\r\n", "relayed", "2.0.0", ""},
      {"Action: no such thing\r\nStatus: nonsense\r\n", "failed", "5.0.0", "other"},
  };
  for (const auto& test : cases) {
    const Report report = parse_report(
        dsn_with("message/delivery-status",
                 "Reporting-MTA: dns; h\r\n\r\nFinal-Recipient: rfc822;a@c.example\r\n" +
                     std::string(test.fields)));
    ASSERT_THAT(report.recipients, SizeIs(1)) << test.fields;
    const RecipientReport& one = report.recipients[0];
    EXPECT_EQ(action_name(one.action), test.action) << test.fields;
    EXPECT_EQ(one.status->to_text(), test.status) << test.fields;
    EXPECT_EQ(one.category, test.category) << test.fields << one.diagnostic;
  }
}

TEST(Report, AnEncodedGlobalStatus) {  // RFC 6533; the body in base64
  std::string message =
      dsn_with("message/global-delivery-status\r\nContent-Transfer-Encoding: base64",
               "RmluYWwtUmVjaXBpZW50OiB1dGYtODsgw7xAYi5leGFtcGxlDQpBY3Rpb246IGZh"
               "aWxlZA0KU3RhdHVzOiA1LjEuMQ0K");
  const Report report = parse_report(message);
  EXPECT_THAT(names(report), ElementsAre("\xc3\xbc@b.example"));
}

TEST(Report, BouncesForPeople) {
  const struct {
    const char* what;
    std::string message;
    std::vector<std::string> recipients;
    std::string status;
    std::string category;
  } cases[] = {
      {"qmail",
       "From: MAILER-DAEMON@h.example\r\nTo: s@acme.example\r\nSubject: failure notice\r\n\r\n"
       "Hi. This is the qmail-send program at h.example.\r\n\r\n<a@b.example>:\r\n"
       "192.0.2.1 does not like recipient.\r\nRemote host said: 550 5.1.1 User unknown\r\n\r\n"
       "<c@d.example>:\r\nuser is over quota. (#5.2.2)\r\n\r\n"
       "--- Below this line is a copy of the message.\r\n\r\nTo: other@b.example\r\n",
       {"a@b.example", "c@d.example"},
       "5.1.1",
       "bad-mailbox"},
      {"Exim",
       "From: Mail Delivery System <Mailer-Daemon@h.example>\r\nTo: s@acme.example\r\n"
       "X-Failed-Recipients: a@b.example\r\nAuto-Submitted: auto-replied\r\n"
       "Subject: Mail delivery failed: returning message to sender\r\n\r\n"
       "The following address(es) failed:\r\n\r\n  a@b.example\r\n"
       "    host mx.b.example [192.0.2.20]: 550 5.7.1 Relaying denied\r\n\r\n"
       "------ This is a copy of the message, including all the headers. ------\r\n\r\n"
       "To: x@y.example\r\n",
       {"a@b.example"},
       "5.7.1",
       "relaying-issues"},
      {"no recipient but in the returned message",
       "From: postmaster@h.example\r\nTo: s@acme.example\r\nSubject: Undeliverable mail\r\n"
       "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nIt was rejected.\r\n"
       "--x\r\nContent-Type: message/rfc822\r\n\r\nTo: <a@b.example>\r\n\r\nbody\r\n--x--\r\n",
       {"a@b.example"},
       "5.0.0",
       "policy-related"},
      {"fields in the text",
       "From: MAILER-DAEMON@h.example\r\nTo: s@acme.example\r\nSubject: failed\r\n\r\n"
       "Technical report:\r\n\r\nReporting-MTA: dsn; h\r\n\r\nAction: failed\r\n"
       "Final-Recipient: rfc822; a@b.example\r\nDiagnostic-Code: smtp; 550 5.1.1 x\r\n",
       {"a@b.example"},
       "5.1.1",
       "bad-mailbox"},
      {"only HTML",
       "From: MAILER-DAEMON@h.example\r\nTo: s@acme.example\r\nSubject: failed\r\n"
       "Content-Type: text/html\r\n\r\n<p>Could not deliver:</p>\r\n<b>a@b.example</b>\r\n"
       "550 5.1.1 no\r\n",
       {"a@b.example"},
       "5.1.1",
       "bad-mailbox"},
  };
  for (const auto& test : cases) {
    const Report report = parse_report(test.message);
    EXPECT_EQ(report.kind, Kind::kBounce) << test.what;
    EXPECT_EQ(names(report), test.recipients) << test.what;
    ASSERT_FALSE(report.recipients.empty()) << test.what;
    EXPECT_EQ(report.recipients[0].status->to_text(), test.status) << test.what;
    EXPECT_EQ(report.recipients[0].category, test.category) << test.what;
  }
}

TEST(Report, Feedback) {
  const Report report = parse_report(
      "From: fbl@isp.example\r\nContent-Type: multipart/report; report-type=feedback-report;\r\n"
      " boundary=f\r\n\r\n--f\r\n\r\nThis is an abuse report.\r\n--f\r\n"
      "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: X/1\r\n"
      "Version: 1\r\nOriginal-Mail-From: <b+token@bounce.example>\r\n"
      "Original-Rcpt-To: <a@isp.example>\r\nOriginal-Rcpt-To: <c@isp.example>\r\n--f\r\n"
      "Content-Type: message/rfc822\r\n\r\nTo: x@isp.example\r\n\r\nbody\r\n--f--\r\n");
  EXPECT_EQ(report.kind, Kind::kFeedback);
  EXPECT_EQ(report.feedback_type, "abuse");
  EXPECT_EQ(report.original_sender, "b+token@bounce.example");
  EXPECT_THAT(names(report), ElementsAre("a@isp.example", "c@isp.example"));
}

TEST(Report, OtherKinds) {
  const struct {
    const char* message;
    Kind kind;
  } cases[] = {
      {"From: a@b.example\r\nSubject: Out of office: hello\r\n\r\nI am away.\r\n",
       Kind::kAutoreply},
      {"From: a@b.example\r\nAuto-Submitted: auto-replied (vacation)\r\nSubject: Re: "
       "x\r\n\r\nx\r\n",
       Kind::kAutoreply},
      {"From: a@b.example\r\nSubject: unsubscribe\r\n\r\n\r\n", Kind::kUnsubscribe},
      {"From: a@b.example\r\nSubject:  Unsubscribe. \r\n\r\n\r\n", Kind::kUnsubscribe},
      {"From: a@b.example\r\nSubject: hello\r\n\r\nA reply; please write to c@d.example.\r\n",
       Kind::kOther},
      {"From: a@b.example\r\nSubject: delivery status of my parcel\r\n\r\nWhere is it?\r\n",
       Kind::kOther},
      {"", Kind::kOther},
      {"\r\n", Kind::kOther},
      {"no header at all", Kind::kOther},
  };
  for (const auto& [message, kind] : cases) EXPECT_EQ(parse_report(message).kind, kind) << message;
}

TEST(Report, JsonHasTheFieldsOfTheContract) {
  const Report report = parse_report(
      dsn_with("message/delivery-status",
               "Reporting-MTA: dns; h\r\n\r\nFinal-Recipient: rfc822;a@c.example\r\n"
               "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 \"no\"\r\n"));
  const auto json = nlohmann::json::parse(report_json(report, "x\xff.eml"));
  EXPECT_EQ(json.at("kind"), "bounce");
  EXPECT_EQ(json.at("file"), "x\\xff.eml");
  const auto& one = json.at("recipients").at(0);
  EXPECT_EQ(one.at("recipient"), "a@c.example");
  EXPECT_EQ(one.at("action"), "failed");
  EXPECT_EQ(one.at("status"), "5.1.1");
  EXPECT_EQ(one.at("category"), "bad-mailbox");
  EXPECT_EQ(one.at("permanent"), true);
  EXPECT_EQ(one.at("suppress"), true);
  EXPECT_EQ(one.at("fault"), "recipient");
  EXPECT_EQ(one.at("retry_elsewhere"), false);
  EXPECT_EQ(one.at("diagnostic"), "550 \"no\"");
  EXPECT_EQ(nlohmann::json::parse(report_json(Report{}, "f")).at("recipients").size(), 0U);
}

TEST(Mime, TakesApartWhatThereIs) {
  const Parts nested = take_apart(
      "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n"
      "Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\n"
      "Content-Type: TEXT/HTML\r\n\r\ntwo\r\n--c--\r\n--a b\r\nContent-Type: message/rfc822\r\n\r\n"
      "Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\n\r\nhidden\r\n");
  ASSERT_THAT(nested.leaves, SizeIs(3));
  EXPECT_EQ(nested.leaves[1].type, "text/html");
  EXPECT_EQ(nested.leaves[2].type, "message/rfc822");
  const Parts lost = take_apart("Content-Type: multipart/mixed; boundary=x\r\n\r\nno part\r\n");
  ASSERT_THAT(lost.leaves, SizeIs(1));
  EXPECT_EQ(lost.leaves[0].body, "no part\r\n");
  // More parts and levels than are looked at.
  std::string many = "Content-Type: multipart/mixed; boundary=x\r\n\r\n";
  for (int i = 0; i < 1'000; ++i) many += "--x\r\n\r\ny\r\n";
  EXPECT_THAT(take_apart(many).leaves, SizeIs(kPartsMax));
  std::string deep;
  for (int i = 0; i < 100; ++i)
    deep += "Content-Type: multipart/mixed; boundary=b" + std::to_string(1'000 + i) +
            "\r\n\r\n--b" + std::to_string(1'000 + i) + "\r\n";
  EXPECT_THAT(take_apart(deep).leaves, SizeIs(1));
}

TEST(Mime, Parameters) {
  const struct {
    std::string_view value, name, is;
  } cases[] = {
      {"a/b; x=y", "x", "y"},        {"a/b; x=\"y z\\\"\"; w=1", "x", "y z\""},
      {"a/b; X=y;w=1", "w", "1"},    {"a/b;\r\n\tx=y", "x", "y"},
      {"a/b; nox=1; x=2", "x", "2"}, {"a/b", "x", ""},
      {"a/b; =; x", "x", ""},        {"a/b; x=\"open", "x", "open"},
  };
  for (const auto& [value, name, is] : cases) EXPECT_EQ(parameter(value, name), is) << value;
}

TEST(BounceText, Addresses) {
  EXPECT_THAT(addresses_in("<a@b.c>, x@y.z. and \"q r\"@s.t; @u v@ a@b.c", 10),
              ElementsAre("a@b.c", "x@y.z", "\"q r\"@s.t"));
  EXPECT_FALSE(is_plausible_address("a b@c"));
  EXPECT_FALSE(is_plausible_address("a@\xff"));
  EXPECT_FALSE(is_plausible_address("@c"));
  EXPECT_FALSE(is_plausible_address(std::string(400, 'a') + "@c"));
  EXPECT_THAT(addresses_in(std::string(100'000, '@'), 10), SizeIs(0));
}

// Anything at all: no crash, valid UTF-8, bounds. tests/fuzz goes further.
TEST(Report, TakesAnyOctets) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  SeededRandom random(seed);
  const std::string whole = dsn_with("message/delivery-status",
                                     "Reporting-MTA: dns; h\r\n\r\nFinal-Recipient: rfc822;a@c\r\n"
                                     "Action: failed\r\nStatus: 5.1.1\r\n");
  for (int round = 0; round < 500; ++round) {
    std::string message = whole;
    for (std::uint64_t i = random.below(20) + 1; i > 0; --i)
      message[random.below(message.size())] = static_cast<char>(random.next());
    message.resize(random.below(message.size()) + 1);
    const std::string json = report_json(parse_report(message), "f");
    EXPECT_TRUE(text::is_utf8(json));
  }
}

}  // namespace
}  // namespace godwit::report
