#include "common/mail/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "common/mail/header.h"

namespace godwit::mail {
namespace {

using std::string_view_literals::operator""sv;

MessageId some_id() {
  return MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e").value();
}

Received some_received() {
  return {.helo = "client.example",
          .address = "192.0.2.1",
          .by = "mta1.example",
          .protocol = "ESMTPSA",
          .tls = "TLSv1.3 TLS_AES_256_GCM_SHA384",
          .id = some_id(),
          .recipient = "b@example.net",
          .time = from_unix_ms(1'795'374'644'123)};
}

TEST(Date, IsRfc5322InUtc) {
  EXPECT_EQ(format_date(from_unix_ms(1'795'374'644'123)), "Sun, 22 Nov 2026 19:10:44 +0000");
  EXPECT_EQ(format_date(from_unix_ms(0)), "Thu, 1 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(format_date(from_unix_ms(951'782'399'999)), "Mon, 28 Feb 2000 23:59:59 +0000");
  EXPECT_EQ(date_field(from_unix_ms(0)), "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n");
}

TEST(MessageIdField, CarriesTheIdOfTheEvents) {
  EXPECT_EQ(message_id_field(some_id(), "mta1.example"),
            "Message-ID: <0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e@mta1.example>\r\n");
}

TEST(ReceivedField, TellsWhoWhereHowAndWhen) {
  EXPECT_EQ(received_field(some_received()),
            "Received: from client.example ([192.0.2.1])\r\n"
            "\tby mta1.example with ESMTPSA\r\n"
            "\tid 0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e\r\n"
            "\tfor <b@example.net>\r\n"
            "\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);\r\n"
            "\tSun, 22 Nov 2026 19:10:44 +0000\r\n");
}

TEST(ReceivedField, LeavesOutWhatIsNotThere) {
  Received received = some_received();
  received.helo = "[IPv6:2001:db8::1]";
  received.address = "2001:db8::1";
  received.tls = {};
  received.recipient = {};
  EXPECT_EQ(received_field(received),
            "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
            "\tby mta1.example with ESMTPSA\r\n"
            "\tid 0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e;\r\n"
            "\tSun, 22 Nov 2026 19:10:44 +0000\r\n");
  received.helo = {};
  EXPECT_TRUE(received_field(received).starts_with("Received: from [IPv6:2001:db8::1]\r\n"));
  received.address = {};
  EXPECT_TRUE(received_field(received).starts_with("Received: from unknown\r\n"));
}

TEST(ReceivedField, NothingAPeerSaysLeavesItsPlace) {
  for (const auto hostile :
       {"evil\r\nX-Injected: yes"sv, "evil)\r\n\r\nbody"sv, "a) by fake.example (b"sv, "\"open"sv,
        "back\\slash"sv, "[1.2.3.4]\r\nX: y"sv, "nul\0l"sv, "a;b"sv, "\xff\xfe"sv, "<x>"sv, "[(]"sv,
        "\r"sv, "\n"sv}) {
    Received received = some_received();
    received.helo = hostile;
    received.recipient = hostile;
    received.tls = hostile;
    const std::string field = received_field(received);
    const Header header = Header::scan(Rope(Bytes::copy_of(field + "\r\n")));
    EXPECT_EQ(facts_of(header).fields, 1U) << field;
    EXPECT_EQ(header.octets(), field);
    EXPECT_EQ(std::ranges::count(field, '('), std::ranges::count(field, ')')) << field;
    EXPECT_EQ(std::ranges::count(field, ';'), 1) << field;
    EXPECT_TRUE(std::ranges::all_of(field, [](char c) {
      return (c >= ' ' && c < 0x7F) || c == '\r' || c == '\n' || c == '\t';
    }));
  }
  Received received = some_received();
  const std::string huge(100'000, 'x');
  received.helo = received.recipient = received.tls = received.by = received.address = huge;
  EXPECT_LT(received_field(received).size(), 1000U);
}

}  // namespace
}  // namespace godwit::mail
