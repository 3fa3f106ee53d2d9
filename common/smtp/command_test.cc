#include "common/smtp/command.h"

#include <gtest/gtest.h>

#include "common/smtp/xtext.h"

namespace godwit::smtp {
namespace {

const Extensions kAll{.auth = true};

TEST(Command, Verbs) {
  EXPECT_EQ(parse_command("mail FROM:<a@b>").verb, Verb::kMail);
  EXPECT_EQ(parse_command("mail FROM:<a@b>  ").argument, "FROM:<a@b>");
  EXPECT_EQ(parse_command("QUIT ").verb, Verb::kQuit);
  EXPECT_EQ(parse_command("StartTLS").verb, Verb::kStartTls);
  for (const char* line : {"", " QUIT", "QUITE", "MAI", "MAIL\tFROM:<a@b>", "GET / HTTP/1.1"}) {
    EXPECT_EQ(parse_command(line).verb, Verb::kUnknown) << line;
  }
}

TEST(Mail, Parameters) {
  const auto mail = parse_mail(
      "FROM:<a@b> SIZE=1000 body=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ+2B314 "
      "AUTH=e+3Dmc2@example.com",
      {}, kAll);
  ASSERT_TRUE(mail) << mail.error().to_text();
  EXPECT_EQ(mail->sender.text(), "a@b");
  EXPECT_EQ(mail->parameters.size, 1000u);
  EXPECT_EQ(mail->parameters.body, Body::k8BitMime);
  EXPECT_TRUE(mail->parameters.smtputf8);
  EXPECT_EQ(mail->parameters.ret, Ret::kHeaders);
  EXPECT_EQ(mail->parameters.envid, "QQ+314");
  EXPECT_EQ(mail->parameters.auth, "e=mc2@example.com");
  EXPECT_TRUE(parse_mail("from: <>", {}, kAll));
  EXPECT_TRUE(parse_mail("FROM:<> AUTH=<>", {}, kAll));
  EXPECT_TRUE(parse_mail("FROM:<j\xC3\xB6@b> SMTPUTF8", {}, kAll));
}

TEST(Mail, Refusals) {
  struct Case {
    const char* argument;
    const char* reply;
  };
  const Case cases[] = {
      {"", "501 5.5.4"},
      {"FROM", "501 5.5.4"},
      {"TO:<a@b>", "501 5.5.4"},
      {"FROM:a@b", "501 5.1.7"},
      {"FROM:<a@b", "501 5.1.7"},
      {"FROM:<a b@c>", "501 5.1.7"},
      {"FROM:<postmaster>", "501 5.1.7"},
      {"FROM:  <a@b>", "501 5.1.7"},
      {"FROM:<a@b>SIZE=1", "501 5.5.4"},
      {"FROM:<a@b> SIZE", "501 5.5.4"},
      {"FROM:<a@b> SIZE=", "501 5.5.4"},
      {"FROM:<a@b> SIZE=-1", "501 5.5.4"},
      {"FROM:<a@b> SIZE=1x", "501 5.5.4"},
      {"FROM:<a@b> SIZE=18446744073709551616", "501 5.5.4"},
      {"FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4"},
      {"FROM:<a@b> BODY=BINARYMIME", "501 5.5.4"},
      {"FROM:<a@b> SMTPUTF8=yes", "501 5.5.4"},
      {"FROM:<a@b> RET=ALL", "501 5.5.4"},
      {"FROM:<a@b> ENVID=a+2", "501 5.5.4"},
      {"FROM:<a@b> ENVID=a+0D+0Ab", "501 5.5.4"},
      {"FROM:<a@b> ENVID=a=b", "501 5.5.4"},
      {"FROM:<a@b> AUTH=nobody", "501 5.5.4"},
      {"FROM:<a@b> XVERP", "555 5.5.4"},
      {"FROM:<a@b> NOTIFY=NEVER", "555 5.5.4"},
      {"FROM:<a@b> =1", "501 5.5.4"},
      {"FROM:<a@b> -A=1", "501 5.5.4"},
      {"FROM:<j\xC3\xB6@b>", "553 5.6.7"},
      {"FROM:<j\xC3@b> SMTPUTF8", "501 5.1.7"},
  };
  for (const auto& [argument, reply] : cases) {
    const auto mail = parse_mail(argument, {}, kAll);
    ASSERT_FALSE(mail) << argument;
    EXPECT_TRUE(mail.error().to_text().starts_with(reply))
        << argument << ": " << mail.error().to_text();
  }
  const Extensions none{
      .size = false, .eight_bit_mime = false, .smtputf8 = false, .dsn = false, .auth = false};
  for (const char* argument : {"FROM:<a@b> SIZE=1", "FROM:<a@b> BODY=7BIT", "FROM:<a@b> SMTPUTF8",
                               "FROM:<a@b> RET=FULL", "FROM:<a@b> AUTH=<>"}) {
    EXPECT_EQ(parse_mail(argument, {}, none).error().code, 555) << argument;
  }
}

TEST(Rcpt, Parameters) {
  const auto rcpt =
      parse_rcpt("TO:<@r.example:a@b> NOTIFY=SUCCESS,delay ORCPT=rfc822;a+2Bb@c", {}, kAll);
  ASSERT_TRUE(rcpt) << rcpt.error().to_text();
  EXPECT_EQ(rcpt->recipient.text(), "a@b");
  EXPECT_EQ(rcpt->parameters.notify, kNotifySuccess | kNotifyDelay);
  EXPECT_EQ(rcpt->parameters.orcpt, "rfc822;a+b@c");
  EXPECT_EQ(parse_rcpt("TO:<a@b> ORCPT=utf-8;j\\x{F6}rg@c", {}, kAll)->parameters.orcpt,
            "utf-8;j\xC3\xB6rg@c");
  EXPECT_EQ(parse_rcpt("TO:<Postmaster>", {}, kAll)->recipient.text(), "Postmaster");
}

TEST(Rcpt, Refusals) {
  struct Case {
    const char* argument;
    const char* reply;
  };
  const Case cases[] = {
      {"FROM:<a@b>", "501 5.5.4"},
      {"TO:<>", "501 5.1.3"},
      {"TO:a@b", "501 5.1.3"},
      {"TO:<a@b> NOTIFY=NEVER,SUCCESS", "501 5.5.4"},
      {"TO:<a@b> NOTIFY=SUCCESS,SUCCESS", "501 5.5.4"},
      {"TO:<a@b> NOTIFY=", "501 5.5.4"},
      {"TO:<a@b> NOTIFY=SUCCESS,", "501 5.5.4"},
      {"TO:<a@b> ORCPT=a@b", "501 5.5.4"},
      {"TO:<a@b> ORCPT=;a@b", "501 5.5.4"},
      {"TO:<a@b> ORCPT=rfc822;", "501 5.5.4"},
      {"TO:<a@b> ORCPT=rfc822;a+0Ab", "501 5.5.4"},
      {"TO:<a@b> ORCPT=utf-8;a\\x{D800}", "501 5.5.4"},
      {"TO:<a@b> SIZE=1", "555 5.5.4"},
      {"TO:<j\xC3\xB6@b>", "553 5.6.7"},
  };
  for (const auto& [argument, reply] : cases) {
    const auto rcpt = parse_rcpt(argument, {}, kAll);
    ASSERT_FALSE(rcpt) << argument;
    EXPECT_TRUE(rcpt.error().to_text().starts_with(reply))
        << argument << ": " << rcpt.error().to_text();
  }
}

TEST(Bdat, Syntax) {
  EXPECT_EQ(parse_bdat("0")->size, 0u);
  EXPECT_TRUE(parse_bdat("86 last")->last);
  EXPECT_EQ(parse_bdat("18446744073709551615")->size, ~0ull);
  for (const char* argument :
       {"", "x", "-1", "1 FIRST", "1  LAST", "1 LAST x", "18446744073709551616", "LAST"}) {
    EXPECT_FALSE(parse_bdat(argument)) << argument;
  }
}

TEST(Xtext, BothWays) {
  const std::string octets = "a+b=c d\x7f\xC3\xA9~";
  EXPECT_EQ(encode_xtext(octets), "a+2Bb+3Dc+20d+7F+C3+A9~");
  EXPECT_EQ(decode_xtext(encode_xtext(octets)), octets);
  for (const char* text : {"+", "+2", "+2b", "+G0", "a b", "a=b", "\xC3\xA9"})
    EXPECT_FALSE(decode_xtext(text)) << text;
}

TEST(Utf8Address, BothWays) {
  const std::string address = "j\xC3\xB6+\\\xE2\x82\xAC\xF0\x9F\x90\xA6@b";
  EXPECT_EQ(encode_utf8_address(address, true), "j\\x{F6}\\x{2B}\\x{5C}\\x{20AC}\\x{1F426}@b");
  EXPECT_EQ(encode_utf8_address(address, false),
            "j\xC3\xB6\\x{2B}\\x{5C}\xE2\x82\xAC\xF0\x9F\x90\xA6@b");
  EXPECT_EQ(decode_utf8_address(encode_utf8_address(address, true)), address);
  EXPECT_EQ(decode_utf8_address(encode_utf8_address(address, false)), address);
  for (const char* text :
       {"\\", "\\x", "\\x{}", "\\x{F}", "\\x{110000}", "\\x{0A}", "\\x{F6", "a+b", "a=b", "a b"}) {
    EXPECT_FALSE(decode_utf8_address(text)) << text;
  }
}

}  // namespace
}  // namespace godwit::smtp
