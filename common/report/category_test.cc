#include "common/report/category.h"

#include <gtest/gtest.h>

#include <optional>

namespace godwit::report {
namespace {

using smtp::ClientStage;
using smtp::EnhancedCode;

TEST(BounceCategory, Table) {
  const struct {
    int code;
    std::optional<EnhancedCode> enhanced;
    const char* text;
    ClientStage stage;
    const char* category;
  } cases[] = {
      {550, EnhancedCode{5, 1, 1}, "User unknown", ClientStage::kRcpt, "bad-mailbox"},
      {550, {}, "No such user here", ClientStage::kRcpt, "bad-mailbox"},
      {550, {}, "", ClientStage::kRcpt, "bad-mailbox"},
      {550, {}, "", ClientStage::kMail, "invalid-sender"},
      {550, EnhancedCode{5, 1, 2}, "", ClientStage::kRcpt, "bad-domain"},
      {552, EnhancedCode{5, 2, 2}, "over quota", ClientStage::kRcpt, "quota-issues"},
      {550, EnhancedCode{5, 2, 1}, "", ClientStage::kRcpt, "inactive-mailbox"},
      {550, EnhancedCode{5, 7, 1}, "Listed by RBL", ClientStage::kRcpt, "spam-related"},
      {550, EnhancedCode{5, 7, 1}, "Relaying denied", ClientStage::kRcpt, "relaying-issues"},
      {550, EnhancedCode{5, 7, 26}, "Unauthenticated", ClientStage::kDot, "policy-related"},
      {554, {}, "Virus found", ClientStage::kDot, "virus-related"},
      {554, {}, "", ClientStage::kDot, "policy-related"},
      {552, {}, "too big", ClientStage::kDot, "content-related"},
      {535, {}, "", ClientStage::kAuth, "bad-configuration"},
      {421, {}, "", ClientStage::kBanner, "bad-connection"},
      {0, EnhancedCode{4, 4, 1}, "", ClientStage::kBanner, "no-answer-from-host"},
      {501, {}, "", ClientStage::kRcpt, "protocol-errors"},
      {450, EnhancedCode{4, 0, 0}, "Greylisted", ClientStage::kRcpt, "policy-related"},
      {599, {}, "", ClientStage::kRcpt, "other"},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(bounce_category({test.code, test.enhanced, test.text}, test.stage), test.category)
        << test.code << " " << test.text;
  }
}

TEST(BounceCategory, WordsAreHeardWhateverTheCode) {
  const struct {
    const char* text;
    const char* category;
  } cases[] = {
      {"550 5.7.1 User unknown", "bad-mailbox"},
      {"554 delivery error: dd This user doesn't have a yahoo.com account", "bad-mailbox"},
      {"Host or domain name not found. Name service error for name=x.example", "bad-domain"},
      {"example.org does not accept mail", "bad-domain"},
      {"554 5.7.1 mailbox is full", "quota-issues"},
      {"this message has been in the queue too long", "message-expired"},
      {"550-5.7.26 Unauthenticated email from example.jp is not accepted due to DMARC policy",
       "policy-related"},
      {"501 5.1.8 Sender address rejected", "invalid-sender"},
      {"550 relay not permitted", "relaying-issues"},
      {"554 5.7.1 Email flagged as Spam", "spam-related"},
      {"account is disabled", "inactive-mailbox"},
      {"552 5.3.4 Message size exceeds fixed limit", "content-related"},
  };
  for (const auto& [text, category] : cases) {
    EXPECT_EQ(bounce_category({550, EnhancedCode{5, 0, 0}, text}, ClientStage::kRcpt), category)
        << text;
  }
}

TEST(Meaning, SaysWhatToDo) {
  const struct {
    const char* category;
    bool permanent;
    const char* text;
    Meaning meaning;
  } cases[] = {
      {"bad-mailbox", true, "", {true, true, "recipient", false}},
      {"bad-mailbox", false, "", {false, false, "recipient", false}},  // greylisted, perhaps
      {"bad-domain", true, "", {true, true, "recipient", false}},
      {"quota-issues", true, "", {true, false, "recipient", false}},
      {"spam-related", true, "listed in an RBL", {true, false, "source", true}},
      {"spam-related", true, "looks like spam", {true, false, "tenant", false}},
      {"policy-related", true, "DMARC", {true, false, "tenant", false}},
      {"policy-related", true, "no reverse DNS", {true, false, "source", true}},
      {"bad-connection", false, "", {false, false, "destination", false}},
      {"protocol-errors", true, "", {true, false, "us", false}},
      {"other", true, "", {true, false, "", false}},
      {"no category of ours", true, "", {true, false, "", false}},
  };
  for (const auto& [category, permanent, text, meaning] : cases) {
    const Meaning got = meaning_of(category, permanent, text);
    EXPECT_EQ(got.permanent, meaning.permanent) << category;
    EXPECT_EQ(got.suppress, meaning.suppress) << category << text;
    EXPECT_EQ(got.fault, meaning.fault) << category << text;
    EXPECT_EQ(got.retry_elsewhere, meaning.retry_elsewhere) << category << text;
  }
}

}  // namespace
}  // namespace godwit::report
