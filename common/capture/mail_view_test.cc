#include "common/capture/mail_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/mail/transfer_encoding.h"

namespace godwit::capture {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct WordCase {
  const char* name;
  std::string_view value;
  std::string_view decoded;
};
class Words : public testing::TestWithParam<WordCase> {};
TEST_P(Words, Decode) {
  EXPECT_EQ(mail::decode_words(GetParam().value), GetParam().decoded);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, Words,
    testing::Values(WordCase{"Plain", "hello", "hello"}, WordCase{"Empty", "", ""},
                    WordCase{"Q", "=?utf-8?q?gr=C3=BCn_er?= x", "grün er x"},
                    WordCase{"B", "=?UTF-8?B?Z3LDvG4=?=", "grün"},
                    WordCase{"Latin1", "=?iso-8859-1?Q?gr=FCn?=", "grün"},
                    WordCase{"Language", "=?utf-8*de?Q?a?=", "a"},
                    WordCase{"SpaceBetweenWordsGoes", "=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
                    WordCase{"SpaceBesideTextStays", "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
                    WordCase{"Unfinished", "=?utf-8?q?abc", "=?utf-8?q?abc"},
                    WordCase{"OtherEncoding", "=?utf-8?x?abc?=", "=?utf-8?x?abc?="},
                    WordCase{"SpaceInside", "=?utf-8?q?a b?=", "=?utf-8?q?a b?="},
                    WordCase{"Start", "=?", "=?"}),
    [](const auto& info) { return info.param.name; });

struct TransferCase {
  const char* name;
  std::string_view octets;
  std::string_view encoding;
  std::string_view decoded;
};
class Transfer : public testing::TestWithParam<TransferCase> {};
TEST_P(Transfer, Decode) {
  EXPECT_EQ(mail::decode_transfer(GetParam().octets, GetParam().encoding), GetParam().decoded);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, Transfer,
    testing::Values(TransferCase{"None", "a=3D", "7bit", "a=3D"},
                    TransferCase{"QuotedPrintable", "a=3Db=\r\nc=\nd", "quoted-printable", "a=bcd"},
                    TransferCase{"QuotedPrintableWrong", "a=zz=", "quoted-printable", "a=zz="},
                    TransferCase{"QuotedPrintableCut", "a=4", "quoted-printable", "a=4"},
                    TransferCase{"Base64", "aGVs\r\nbG8=\r\n", "base64", "hello"},
                    TransferCase{"Base64Wrong", "aG!Vs", "base64", "hel"},
                    TransferCase{"Base64Empty", "====", "base64", ""}),
    [](const auto& info) { return info.param.name; });

TEST(MailView, FieldsInOrderUnfolded) {
  const MailView view = view_mail("Subject: a\r\n b\r\nX: =?utf-8?q?=C3=BC?=\r\n\r\nhi\r\n");
  EXPECT_THAT(view.fields,
              ElementsAre(MailView::Field{"Subject", "a b"}, MailView::Field{"X", "ü"}));
  EXPECT_EQ(view.field("subject"), "a b");
  EXPECT_EQ(view.field("none"), "");
  EXPECT_EQ(view.text, "hi\r\n");
  EXPECT_EQ(view.text_type, "text/plain");
  EXPECT_FALSE(view.truncated);
}

TEST(MailView, FindsThePlainTextAndNamesAttachments) {
  const MailView view = view_mail(
      "Content-Type: multipart/mixed; boundary=\"o;ut\"\r\n\r\npreamble\r\n"
      "--o;ut\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n"
      "--in\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n"
      "--in\r\nContent-Type: text/plain; charset=ISO-8859-1\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=FCn\r\n"
      "--in--\r\n"
      "--o;ut\r\nContent-Type: application/pdf; name=b.pdf\r\n\r\nx\r\n"
      "--o;ut\r\nContent-Disposition: attachment; filename=\"a \\\"q\\\".txt\"\r\n\r\nnot shown\r\n"
      "--o;ut\r\nContent-Type: image/png\r\n\r\nx\r\n"
      "--o;ut--\r\nepilogue\r\n");
  EXPECT_EQ(view.text, "grün\r\n");
  EXPECT_EQ(view.text_type, "text/plain");
  EXPECT_THAT(view.attachments, ElementsAre("b.pdf", "a \"q\".txt", "image/png"));
}

TEST(MailView, ShowsHtmlAsTextWhenThereIsNothingElse) {
  const MailView view = view_mail("Content-Type: text/html\r\n\r\n<b>hi</b>");
  EXPECT_EQ(view.text, "<b>hi</b>");
  EXPECT_EQ(view.text_type, "text/html");
}

TEST(MailView, MailsWithoutText) {
  for (const char* octets : {"Content-Type: image/png\r\n\r\nx",
                             "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts",
                             "Content-Type: multipart/mixed\r\n\r\n--\r\n"}) {
    const MailView view = view_mail(octets);
    EXPECT_EQ(view.text_type, "") << octets;
    EXPECT_EQ(view.text, "") << octets;
  }
  EXPECT_THAT(view_mail("").fields, IsEmpty());
}

TEST(MailView, IsBounded) {
  std::string many;
  for (int i = 0; i < 200; ++i) many += "X: y\r\n";
  MailView view = view_mail(many + "\r\n");
  EXPECT_EQ(view.fields.size(), 100u);
  EXPECT_TRUE(view.truncated);

  view = view_mail("X: " + std::string(5'000, 'y') + "\r\n\r\n" + std::string(2 << 20, 'z'));
  EXPECT_EQ(view.fields[0].value.size(), 2'000u);
  EXPECT_EQ(view.text.size(), 256u << 10);
  EXPECT_TRUE(view.truncated);

  std::string nested;
  for (int i = 0; i < 50; ++i) {
    nested += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" +
              std::to_string(i) + "\r\n";
  }
  view = view_mail(nested + "\r\ndeep");
  EXPECT_TRUE(view.truncated);
  EXPECT_EQ(view.text, "");

  std::string parts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 500; ++i) parts += "--b\r\nContent-Type: image/png\r\n\r\nx\r\n";
  view = view_mail(parts);
  EXPECT_LE(view.attachments.size(), 100u);
}

// Any octets at all: it must come back, with text that is bounded.
TEST(MailView, TakesAnything) {
  constexpr std::string_view kPieces[] = {"Content-Type: ",
                                          "multipart/mixed",
                                          "; boundary=",
                                          "\"b\"",
                                          "b",
                                          "\r\n",
                                          "\r\n\r\n",
                                          "--b",
                                          "--b--",
                                          "=?utf-8?q?",
                                          "?=",
                                          "=",
                                          ";",
                                          "\"",
                                          "\\",
                                          "=3D",
                                          ":",
                                          " ",
                                          "text/plain",
                                          "Content-Transfer-Encoding: base64\r\n",
                                          "\xff",
                                          "\n"};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    std::string octets;
    for (int i = 0; i < 200; ++i) octets += kPieces[random.below(std::size(kPieces))];
    const MailView view = view_mail(octets);
    EXPECT_LE(view.text.size(), octets.size() * 2);
  }
}

}  // namespace
}  // namespace godwit::capture
