#include "common/capture/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::capture {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAttack =
    "<script>alert('1')</script>\"><img src=x onerror=\"y\">&\x01\xff";

// None of the attack's characters that mean something in HTML come through.
void expect_harmless(const std::string& page) {
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("'1'")));
  EXPECT_THAT(page, Not(HasSubstr("\x01")));
  EXPECT_THAT(page, Not(HasSubstr("\xff")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(
      page,
      HasSubstr("&quot;&gt;&lt;img src=x onerror=&quot;y&quot;&gt;&amp;\xef\xbf\xbd\xef\xbf\xbd"));
}

struct EscapeCase {
  const char* name;
  std::string_view text;
  std::string_view escaped;
};
class Escape : public testing::TestWithParam<EscapeCase> {};
TEST_P(Escape, Html) {
  EXPECT_EQ(html_escape(GetParam().text), GetParam().escaped);
}
#define BAD "\xef\xbf\xbd"
INSTANTIATE_TEST_SUITE_P(
    Cases, Escape,
    testing::Values(EscapeCase{"Plain", "a b", "a b"},
                    EscapeCase{"Markup", "<>&\"'", "&lt;&gt;&amp;&quot;&#39;"},
                    EscapeCase{"Lines", "a\r\n\tb", "a\r\n\tb"},
                    EscapeCase{"Controls", "\x1b\x7f", BAD BAD},
                    EscapeCase{"Utf8", "grün €😀", "grün €😀"}, EscapeCase{"Alone", "\x80", BAD},
                    EscapeCase{"CutShort", "\xe2\x82", BAD BAD},
                    EscapeCase{"Overlong", "\xc0\xbc", BAD BAD},
                    EscapeCase{"Surrogate", "\xed\xa0\x80", BAD BAD BAD},
                    EscapeCase{"TooHigh", "\xf4\x90\x80\x80", BAD BAD BAD BAD},
                    EscapeCase{"MarkupBehindABadLead", "\xe2<b>", BAD "&lt;b&gt;"}),
    [](const auto& info) { return info.param.name; });

TEST(SafeFilename, HasNothingThatMeansSomething) {
  EXPECT_EQ(safe_filename("report-1.eml"), "report-1.eml");
  EXPECT_EQ(safe_filename("../../etc/passwd"), "_._.._etc_passwd");
  EXPECT_EQ(safe_filename("a\"\r\nb;ü"), "a___b___");
  EXPECT_EQ(safe_filename(""), "mail");
  EXPECT_EQ(safe_filename(std::string(500, 'a')).size(), 100u);
}

Metadata hostile() {
  const std::string attack(kAttack);
  return {.sender = attack,
          .recipients = {attack},
          .client = attack,
          .helo = attack,
          .tls = attack,
          .parameters = attack,
          .subject = attack};
}

TEST(Pages, ListEscapesEverything) {
  const Reader::Listing listing{.mails = {hostile()}, .total = 1};
  expect_harmless(list_page(listing, 0));
}

TEST(Pages, MailEscapesSubjectHeadersTextAndFileNames) {
  const std::string attack(kAttack);
  for (int where = 0; where < 5; ++where) {
    MailView view{.text_type = "text/plain"};
    Metadata metadata;
    switch (where) {
      case 0: view.fields = {{"Subject", attack}}; break;
      case 1: view.fields = {{attack, "x"}}; break;
      case 2: view.text = attack; break;
      case 3: view.attachments = {attack}; break;
      default: metadata = hostile();
    }
    SCOPED_TRACE(where);
    expect_harmless(mail_page(metadata, view));
  }
}

TEST(Pages, LandingEscapesEverything) {
  const std::string attack(kAttack);
  const std::vector<LandingEntry> entries{{attack, attack, attack, "/x?\"><script>"}};
  expect_harmless(landing_page(attack, attack, entries));
}

TEST(Pages, ProblemEscapesEverything) {
  expect_harmless(problem_page(kAttack, kAttack));
}

TEST(Pages, HaveNoScriptAndNoStyleOfTheirOwn) {
  const std::string page = mail_page({}, {});
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("style=")));
  EXPECT_THAT(page, HasSubstr("href=\"/style.css\""));
  EXPECT_THAT(kContentSecurityPolicy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(kContentSecurityPolicy, Not(HasSubstr("unsafe")));
}

TEST(Pages, ListLinksToItsNeighbours) {
  Reader::Listing listing{.mails = std::vector<Metadata>(kListRows), .total = 120};
  EXPECT_THAT(list_page(listing, 0), HasSubstr("/capture?offset=50\">older"));
  EXPECT_THAT(list_page(listing, 0), Not(HasSubstr("newer")));
  EXPECT_THAT(list_page(listing, 50), HasSubstr("/capture?offset=0\">newer"));
  listing.mails.resize(20);
  EXPECT_THAT(list_page(listing, 100), Not(HasSubstr("older")));
  EXPECT_THAT(list_page(listing, 100), HasSubstr("101 to 120 of 120"));
  EXPECT_THAT(list_page({}, 0), HasSubstr("No mail yet"));
  EXPECT_THAT(list_page({.total = 3}, 7), HasSubstr("Back to the newest"));
}

}  // namespace
}  // namespace godwit::capture
