#include "cli/bench/script.h"

#include <gtest/gtest.h>

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;

class ScriptTest : public testing::Test {
 protected:
  Verdict at(Script& script, Stage stage, std::vector<std::string> recipients = {},
             std::string_view sender = {}) {
    return script.decide({.stage = stage, .sender = sender, .recipients = recipients}, random);
  }
  static std::unique_ptr<Script> parse(std::string_view text) {
    auto script = Script::parse(text, "test.yaml");
    EXPECT_TRUE(script) << script.error().to_string();
    return *std::move(script);
  }
  SeededRandom random{3};
};

TEST_F(ScriptTest, AnEmptyScriptIsUsual) {
  Script script;
  EXPECT_FALSE(script.concerns(Stage::kRcpt));
  EXPECT_TRUE(at(script, Stage::kRcpt, {"a@b.test"}).usual());
  EXPECT_TRUE(parse("{}")->offers().pipelining);
}

TEST_F(ScriptTest, TheFirstRuleThatMatchesDecides) {
  const auto script = parse(R"(
offers: {chunking: false, size: 10KiB}
rules:
  - {stage: rcpt, recipient: "full@example.test", reply: "452 4.2.2 Full"}
  - {stage: rcpt, domain: "*.example.test", reply: "550 5.1.1 No"}
  - {stage: rcpt, sender: "evil@*", reply: "554 5.7.1 You", drop: close}
  - {stage: dot, drop: reset}
)");
  EXPECT_FALSE(script->offers().chunking);
  EXPECT_EQ(script->offers().size, 10240U);
  EXPECT_TRUE(script->concerns(Stage::kDot));
  EXPECT_FALSE(script->concerns(Stage::kMail));
  EXPECT_EQ(at(*script, Stage::kRcpt, {"FULL@Example.test"}).reply, "452 4.2.2 Full");
  EXPECT_TRUE(at(*script, Stage::kRcpt, {"other@example.test"}).usual());
  EXPECT_EQ(at(*script, Stage::kRcpt, {"full@a.example.test"}).reply, "550 5.1.1 No");
  const Verdict both = at(*script, Stage::kRcpt, {"a@b.test"}, "evil@c.test");
  EXPECT_EQ(both.reply, "554 5.7.1 You");
  EXPECT_EQ(both.drop, Drop::kClose);
  EXPECT_EQ(at(*script, Stage::kDot).drop, Drop::kReset);
}

TEST_F(ScriptTest, AnyRecipientOfTheMessageWillDo) {
  const auto script = parse("rules: [{stage: dot, domain: bad.test, reply: 451 Later}]");
  EXPECT_TRUE(at(*script, Stage::kDot, {"a@good.test"}).usual());
  EXPECT_FALSE(at(*script, Stage::kDot, {"a@good.test", "b@bad.test"}).usual());
}

TEST_F(ScriptTest, DelaysAddUpAndTheSearchGoesOn) {
  const auto script = parse(R"(
rules:
  - {stage: mail, delay: 100ms}
  - {stage: mail, delay: 1s}
  - {stage: mail, reply: "451 Later", delay: 2s}
  - {stage: mail, delay: 1h}
)");
  const Verdict verdict = at(*script, Stage::kMail);
  EXPECT_EQ(verdict.delay, 3100ms);
  EXPECT_EQ(verdict.reply, "451 Later");
}

TEST_F(ScriptTest, SkipFirstAndEveryCountPerRule) {
  const auto script = parse("rules: [{stage: mail, skip: 2, first: 6, every: 3, reply: 451 No}]");
  std::string pattern;
  for (int i = 0; i < 12; ++i) pattern += at(*script, Stage::kMail).usual() ? '.' : 'X';
  EXPECT_EQ(pattern, "....X..X....");
}

TEST_F(ScriptTest, GreylistCountsEachRecipient) {
  const auto script =
      parse("rules: [{stage: rcpt, domain: grey.test, greylist: 2, reply: 451 4.7.1 Grey}]");
  for (const char* recipient : {"a@grey.test", "A@grey.test", "b@grey.test", "b@grey.test"}) {
    EXPECT_FALSE(at(*script, Stage::kRcpt, {recipient}).usual()) << recipient;
  }
  EXPECT_TRUE(at(*script, Stage::kRcpt, {"a@grey.test"}).usual());
  EXPECT_TRUE(at(*script, Stage::kRcpt, {"b@grey.test"}).usual());
  EXPECT_TRUE(at(*script, Stage::kRcpt, {"c@other.test"}).usual());
}

TEST_F(ScriptTest, ProbabilityIsRoughlyKept) {
  const auto script = parse("rules: [{stage: mail, probability: 0.25, reply: 451 No}]");
  int refused = 0;
  for (int i = 0; i < 4000; ++i) refused += at(*script, Stage::kMail).usual() ? 0 : 1;
  EXPECT_NEAR(refused, 1000, 150);
}

TEST_F(ScriptTest, RulesAddedLaterComeLast) {
  const auto script = parse("rules: [{stage: mail, first: 1, reply: 451 One}]");
  ASSERT_TRUE(script->add_rule("{stage: mail, reply: \"452 Two\"}"));
  EXPECT_EQ(at(*script, Stage::kMail).reply, "451 One");
  EXPECT_EQ(at(*script, Stage::kMail).reply, "452 Two");
  EXPECT_FALSE(script->add_rule("{stage: mail}"));
}

TEST_F(ScriptTest, MistakesAreNamedWithTheirPlace) {
  const struct {
    const char* text;
    const char* named;
  } cases[] = {
      {"rules: [{stage: recipient, reply: 450 x}]", "is not known"},
      {"rules: [{reply: 450 x}]", "stage"},
      {"rules: [{stage: mail}]", "does nothing"},
      {"rules: [{stage: mail, reply: hello}]", "no reply"},
      {"rules: [{stage: mail, reply: 150 x}]", "no reply"},
      {"rules: [{stage: mail, reply: 4500}]", "no reply"},
      {"rules: [{stage: content, reply: 450 x}]", "nothing can be said"},
      {"rules: [{stage: mail, domain: a.test, reply: 450 x}]", "no recipient"},
      {"rules: [{stage: ehlo, sender: a@b.test, reply: 450 x}]", "no sender"},
      {"rules: [{stage: mail, every: 0, reply: 450 x}]", "every"},
      {"rules: [{stage: mail, probability: 1.5, reply: 450 x}]", "probability"},
      {"rules: [{stage: mail, drop: maybe}]", "drop"},
      {"rule: []", "unknown key"},
      {"offers: {pipelning: true}", "pipelining"},
  };
  for (const auto& c : cases) {
    const auto script = Script::parse(c.text, "test.yaml");
    ASSERT_FALSE(script) << c.text;
    EXPECT_NE(script.error().context.find(c.named), std::string::npos) << script.error().context;
    EXPECT_NE(script.error().context.find("test.yaml:1:"), std::string::npos);
  }
}

TEST(PatternTest, StarsStandForAnything) {
  const struct {
    const char* pattern;
    const char* text;
    bool matches;
  } cases[] = {
      {"a@b.test", "A@B.Test", true},
      {"a@b.test", "a@b.tes", false},
      {"*", "", true},
      {"*", "anything", true},
      {"*.test", "a.test", true},
      {"*.test", "test", false},
      {"a*c*e", "abcde", true},
      {"a*c*e", "abcd", false},
      {"", "", true},
      {"", "a", false},
      {"**a", "bba", true},
      {"a*", "a", true},
      {"*ab", "aab", true},
      {"*aab", "aaab", true},
  };
  for (const auto& c : cases)
    EXPECT_EQ(matches_pattern(c.pattern, c.text), c.matches) << c.pattern << " " << c.text;
}

}  // namespace
}  // namespace godwit::cli::bench
