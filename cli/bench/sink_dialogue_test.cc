#include "cli/bench/sink_dialogue.h"

#include <gtest/gtest.h>

namespace godwit::cli::bench {
namespace {

using Kind = SinkDialogue::Step::Kind;

class DialogueTest : public testing::Test {
 protected:
  void SetUp() override { begin(); }

  void begin(std::string_view script_text = "{}") {
    script = *Script::parse(script_text, "test.yaml");
    dialogue = std::make_unique<SinkDialogue>(*script, settings, random);
    input.clear();
    messages.clear();
  }
  // Gives `text`, goes on until more is needed, and returns what was said. Delays pass at once.
  std::string say(std::string_view text) {
    input += text;
    std::string out;
    while (true) {
      std::size_t used = 0;
      last = dialogue->next(input, used, out);
      input.erase(0, used);
      if (last.kind == Kind::kTaken) messages.push_back(dialogue->taken());
      if (last.kind == Kind::kDelay) delays += last.delay;
      const bool goes_on =
          last.kind == Kind::kDelay || (last.kind == Kind::kTaken && last.drop == Drop::kNo);
      if (!goes_on) return out;
    }
  }

  SinkDialogue::Settings settings{
      .hostname = "sink.test", .offers_starttls = true, .wants_message_id = true};
  SeededRandom random{1};
  std::unique_ptr<Script> script;
  std::unique_ptr<SinkDialogue> dialogue;
  std::string input;
  std::vector<Taken> messages;
  SinkDialogue::Step last;
  Duration delays{0};
};

TEST_F(DialogueTest, TakesAMessage) {
  EXPECT_EQ(say(""), "220 sink.test ESMTP sink\r\n");
  EXPECT_EQ(say("EHLO a\r\n"),
            "250-sink.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250-"
            "SMTPUTF8\r\n250-DSN\r\n"
            "250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n");
  EXPECT_EQ(say("MAIL FROM:<a@b.test> SIZE=10\r\n"), "250 2.1.0 Ok\r\n");
  EXPECT_EQ(say("RCPT TO:<c@d.test>\r\nrcpt to: <\"x>y\"@d.test> NOTIFY=NEVER\r\n"),
            "250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n");
  EXPECT_EQ(say("DATA\r\n"), "354 End with a dot\r\n");
  EXPECT_EQ(say("Subject: x\r\nmessage-id:  <1@b.test> \r\n\r\nbo"), "");
  EXPECT_EQ(say("dy\r\n..\r\n.\r\n"), "250 2.0.0 Ok\r\n");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].sender, "a@b.test");
  EXPECT_EQ(messages[0].recipients, (std::vector<std::string>{"c@d.test", "\"x>y\"@d.test"}));
  EXPECT_EQ(messages[0].message_id, "<1@b.test>");
  EXPECT_EQ(messages[0].bytes,
            std::string("Subject: x\r\nmessage-id:  <1@b.test> \r\n\r\nbody\r\n..\r\n").size());
  EXPECT_EQ(messages[0].reply, "250 2.0.0 Ok");
  EXPECT_EQ(say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
  EXPECT_EQ(last.kind, Kind::kDrop);
  EXPECT_FALSE(last.scripted);
}

TEST_F(DialogueTest, EverythingPipelinedTwice) {
  const std::string one = "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n.\r\n";
  say("EHLO a\r\n");
  const std::string replies =
      "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End with a dot\r\n250 2.0.0 Ok\r\n";
  EXPECT_EQ(say(one + one), replies + replies);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[1].bytes, 0U);
  EXPECT_EQ(messages[1].recipients.size(), 1U);
}

TEST_F(DialogueTest, ContentEndsOnlyAtADotOfItsOwn) {
  const std::string content = "a\r\n.b\r\n\r.\r\n\n.\n\r\n..\r\n.\r.\r\n";
  say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
  for (const char c : content) EXPECT_EQ(say({&c, 1}), "");  // octet by octet
  EXPECT_EQ(say("\r\n.\r\n"), "250 2.0.0 Ok\r\n");
  EXPECT_EQ(messages.at(0).bytes, content.size() + 2);
}

TEST_F(DialogueTest, Chunks) {
  say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n");
  EXPECT_EQ(say("BDAT 5\r\nMessa"), "250 2.0.0 Chunk taken\r\n");
  EXPECT_EQ(say("BDAT 20 LAST\r\nge-ID: <c>\r\n\r\nabc"), "");
  EXPECT_EQ(say("d\r\n.\r"), "250 2.0.0 Ok\r\n");
  EXPECT_EQ(messages.at(0).bytes, 25U);
  EXPECT_EQ(messages.at(0).message_id, "<c>");
  say("RSET\r\n");
  EXPECT_EQ(say("BDAT 3 LAST\r\nabc"), "503 5.5.1 No valid recipients\r\n");
  EXPECT_EQ(last.kind, Kind::kDrop);
}

TEST_F(DialogueTest, OrderAndSyntax) {
  say("EHLO a\r\n");
  const struct {
    const char* line;
    const char* reply;
  } cases[] = {
      {"RCPT TO:<a@b.test>", "503"},
      {"DATA", "503"},
      {"MAIL TO:<a>", "501"},
      {"MAIL FROM:a@b.test", "501"},
      {"MAIL FROM:<", "501"},
      {"WHAT", "500"},
      {"NOOP", "250"},
      {"VRFY x", "252"},
      {"MAIL FROM:<a@b.test>", "250"},
      {"MAIL FROM:<c@b.test>", "503"},
      {"DATA", "554"},
      {"RCPT TO:", "501"},
      {"RSET", "250"},
      {"HELO x", "250"},
      {"AUTH PLAIN AGEAYg==", "235"},
      {"AUTH LOGIN", "334"},
      {"YQ==", "334"},
      {"Yg==", "235"},
      {"AUTH PLAIN", "334"},
      {"AGEAYg==", "235"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(say(std::string(c.line) + "\r\n").substr(0, 3), c.reply) << c.line;
  EXPECT_EQ(say(std::string(SinkDialogue::kLineMax, 'x')).substr(0, 3), "500");
  EXPECT_EQ(last.kind, Kind::kDrop);
}

TEST_F(DialogueTest, StartTlsForgetsWhatWasSaid) {
  say("EHLO a\r\nMAIL FROM:<a@b.test>\r\n");
  EXPECT_EQ(say("STARTTLS\r\n"), "220 2.0.0 Go ahead\r\n");
  EXPECT_EQ(last.kind, Kind::kStartTls);
  dialogue->tls_started();
  EXPECT_EQ(say("RCPT TO:<a@b.test>\r\n").substr(0, 3), "503");
  EXPECT_EQ(say("EHLO a\r\n").find("STARTTLS"), std::string::npos);
  EXPECT_EQ(say("STARTTLS\r\n").substr(0, 3), "502");
}

// What each stage can be made to do.
TEST_F(DialogueTest, RepliesOfTheScript) {
  const struct {
    const char* rule;
    const char* dialogue;
    const char* last_line;
  } cases[] = {
      {"{stage: banner, reply: 554 Not now}", "", "554 Not now"},
      {"{stage: ehlo, reply: \"550 one\\ntwo\"}", "EHLO a\r\n", "550 two"},
      {"{stage: starttls, reply: 454 No}", "STARTTLS\r\n", "454 No"},
      {"{stage: auth, reply: 535 No}", "AUTH PLAIN AGEAYg==\r\n", "535 No"},
      {"{stage: mail, reply: 451 No}", "MAIL FROM:<>\r\n", "451 No"},
      {"{stage: rcpt, reply: 450 No}", "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n", "450 No"},
      {"{stage: data, reply: 421 No}", "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n", "421 No"},
      {"{stage: dot, reply: 554 No}", "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n.\r\n",
       "554 No"},
      {"{stage: quit, reply: 250 What}", "QUIT\r\n", "250 What"},
  };
  for (const auto& c : cases) {
    begin(std::string("rules: [") + c.rule + "]");
    std::string out = say(c.dialogue);
    ASSERT_GE(out.size(), 2U) << c.rule;
    out.resize(out.size() - 2);
    EXPECT_EQ(out.substr(out.rfind('\n') + 1), c.last_line) << c.rule;
  }
}

TEST_F(DialogueTest, DropsOfTheScript) {
  const std::string envelope = "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\n";
  const struct {
    const char* stage;
    std::string dialogue;
  } cases[] = {
      {"connect", ""},
      {"banner", ""},
      {"ehlo", "EHLO a\r\n"},
      {"mail", envelope},
      {"rcpt", envelope},
      {"data", envelope + "DATA\r\n"},
      {"content", envelope + "DATA\r\nx"},
      {"dot", envelope + "DATA\r\nx\r\n.\r\n"},
  };
  for (const auto& c : cases) {
    begin(std::string("rules: [{stage: ") + c.stage + ", drop: reset}]");
    say(c.dialogue);
    EXPECT_EQ(last.drop, Drop::kReset) << c.stage;
    EXPECT_TRUE(last.scripted) << c.stage;
  }
  ASSERT_EQ(messages.size(), 1U) << "dropped at the dot, it was taken all the same";
  EXPECT_EQ(messages[0].reply, "");
}

TEST_F(DialogueTest, ContentIsDroppedWhenSoMuchHasCome) {
  begin("rules: [{stage: content, after_bytes: 100, drop: close}]");
  say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n");
  say(std::string(99, 'x'));
  EXPECT_EQ(last.kind, Kind::kRead);
  say("x");
  EXPECT_EQ(last.kind, Kind::kDrop);
}

TEST_F(DialogueTest, ADelayComesBeforeItsReplyAndAfterEarlierOnes) {
  begin("rules: [{stage: rcpt, first: 1, delay: 2s}]");
  say("EHLO a\r\n");
  std::string out;
  std::size_t used = 0;
  input = "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n";
  last = dialogue->next(input, used, out);
  EXPECT_EQ(last.kind, Kind::kDelay);
  EXPECT_EQ(last.delay, std::chrono::seconds(2));
  EXPECT_EQ(out, "250 2.1.0 Ok\r\n");
  input.erase(0, used);
  out.clear();
  last = dialogue->next(input, used, out);
  EXPECT_EQ(out, "250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n");
}

TEST_F(DialogueTest, EveryStageCanWait) {
  begin(
      R"(rules: [{stage: connect, delay: 1s}, {stage: banner, delay: 1s}, {stage: ehlo, delay: 1s},
    {stage: starttls, delay: 1s}, {stage: auth, delay: 1s}, {stage: mail, delay: 1s}, {stage: rcpt, delay: 1s},
    {stage: data, delay: 1s}, {stage: content, delay: 1s}, {stage: dot, delay: 1s}, {stage: quit, delay: 1s}])");
  say("EHLO a\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\nMAIL FROM:<>\r\nRCPT "
      "TO:<a@b.test>\r\nDATA\r\n.\r\n");
  EXPECT_EQ(messages.size(), 1U);
  say("STARTTLS\r\n");
  dialogue->tls_started();
  EXPECT_EQ(say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
  EXPECT_EQ(delays, std::chrono::seconds(11));
}

TEST_F(DialogueTest, OffersAreKept) {
  begin(
      "offers: {pipelining: false, chunking: false, eight_bit: false, smtputf8: false, dsn: false,"
      " enhanced_status_codes: false, auth: false, size: 1000}");
  settings.offers_starttls = false;
  say("");
  EXPECT_EQ(say("EHLO a\r\n"), "250-sink.test\r\n250 SIZE 1000\r\n");
  EXPECT_EQ(say("MAIL FROM:<> BODY=8BITMIME SIZE=1001\r\n").substr(0, 3), "552");
  EXPECT_EQ(say("MAIL FROM:<> SIZE=1000\r\n").substr(0, 3), "250");
  begin("offers: {helo_only: true}");
  say("");
  EXPECT_EQ(say("EHLO a\r\n").substr(0, 3), "502");
  EXPECT_EQ(say("HELO a\r\n").substr(0, 3), "250");
}

}  // namespace
}  // namespace godwit::cli::bench
