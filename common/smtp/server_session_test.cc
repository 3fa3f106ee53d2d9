#include "common/smtp/server_session.h"

#include <gtest/gtest.h>

#include <random>

namespace godwit::smtp {
namespace {

using Kind = ServerAction::Kind;

// Everything the session does for some octets, whatever they arrive in: contents joined, replies in
// place.
std::string play(const std::string& octets, const std::vector<std::size_t>& cuts) {
  const ServerConfig config{
      .kind = ServerKind::kSubmission,
      .hostname = "mx.example",
      .auth_in_clear = true,
      .limits = {
          .content_bytes_max = 400, .content_drained_bytes_max = 900, .output_bytes_max = 64}};
  ServerSession session(config, false);
  std::string transcript;
  std::string content;
  std::string input;
  std::size_t at = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : octets.size();
    input += octets.substr(at, end - at);
    at = end;
    for (bool reading = false; !reading;) {
      const ServerAction action = session.next(input);
      if (action.kind == Kind::kContent) content += action.content;
      input.erase(0, action.consumed);
      transcript += session.take_output();
      switch (action.kind) {
        case Kind::kContent:
        case Kind::kWrite: break;
        case Kind::kMail:
        case Kind::kData: session.accept(); break;
        case Kind::kRcpt:
          if (session.recipient().address.text().starts_with("no"))
            session.answer(Reply::of(550, {5, 1, 1}, "No"));
          else
            session.accept();
          break;
        case Kind::kMessage:
          transcript += "<" + content + "|" + std::string(session.protocol()) + ">";
          content.clear();
          session.answer(Reply::of(250, {2, 0, 0}, "Ok"));
          break;
        case Kind::kAbort:
          transcript += "<abort>";
          content.clear();
          break;
        case Kind::kAuth: session.answer(Reply::of(235, {2, 7, 0}, "Ok")); break;
        case Kind::kRead: reading = true; break;
        case Kind::kStartTls: return transcript + "<tls>";
        case Kind::kClose: return transcript + "<close>";
      }
    }
  }
  return transcript;
}

TEST(ServerSession, AnySplitGivesTheSame) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  const std::vector<std::string> flights{
      "EHLO a.example\r\nAUTH PLAIN AGEAYg==\r\n",
      "EHLO a.example\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n..x\r\n.\r\n",
      "MAIL FROM:<a@b> SIZE=300\r\nRCPT TO:<c@d>\r\nDATA\r\n" + std::string(300, 'x') + "\r\n.\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + std::string(500, 'x') + "\r\n.\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 5\r\nab\r\n\rBDAT 1\r\n\nBDAT 0 LAST\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 600 LAST\r\n" + std::string(600, 'x'),
      "BDAT 4 LAST\r\nQUIT",
      "MAIL FROM:<a@b>\r\nRCPT TO:<no@d>\r\nRSET\r\n",
      "MAIL FROM:<a@b>\r\n",
      "RCPT TO:<c@d>\r\n",
      "NOOP\r\n",
      "NOOP " + std::string(600, 'x') + "\r\n",
      "WHAT\r\n",
      "RSET\r\n",
      "HELO b.example\r\n",
      "VRFY x\r\nHELP\r\n",
  };
  const std::vector<std::string> ends{
      "QUIT\r\nNOOP\r\n", "NOOP\nNOOP\r\n",
      "NOOP\rx",          std::string("\0", 1),
      "MAIL FROM:<a@b>",  "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\n.\r\nQUIT\r\n"};
  int messages = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string octets = flights[random() % 2];
    for (int i = 0; i < 6; ++i) octets += flights[random() % flights.size()];
    octets += ends[random() % ends.size()];
    std::vector<std::size_t> cuts;
    const std::size_t piece_max = 1 + random() % 200;
    for (std::size_t at = 1 + random() % piece_max; at < octets.size();
         at += 1 + random() % piece_max) {
      // What stands behind DATA decides when it is refused: let it come together.
      if (!octets.substr(0, at).ends_with("DATA\r\n")) cuts.push_back(at);
    }
    const std::string whole = play(octets, {});
    ASSERT_EQ(play(octets, cuts), whole) << "seed " << seed << " round " << round << ":\n"
                                         << octets;
    if (whole.find("|ESMTPA>") != std::string::npos) ++messages;
  }
  EXPECT_GT(messages, 1000);  // the dialogs were not all refused at their start
}

TEST(ServerSession, RepliesOfAFlightAreCollected) {
  const ServerConfig config;
  ServerSession session(config, false);
  std::string input = "EHLO a\r\nNOOP\r\nNOOP\r\n";
  const ServerAction action = session.next(input);
  EXPECT_EQ(action.kind, Kind::kRead);
  EXPECT_EQ(action.consumed, input.size());
  EXPECT_TRUE(session.take_output().ends_with("250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n"));
}

TEST(ServerSession, CloseFromOutside) {
  const ServerConfig config{.hostname = "mx.example"};
  ServerSession refused(config, false);  // before the greeting: the 421 stands in its place
  EXPECT_TRUE(refused.idle());
  refused.close(Reply::of(421, {4, 3, 2}, "Busy"));
  EXPECT_EQ(refused.next("").kind, Kind::kClose);
  EXPECT_EQ(refused.take_output(), "421 4.3.2 Busy\r\n");

  ServerSession session(config, false);
  std::string input = "HELO a\r\nMAIL FROM:<a@b>\r\n";
  const ServerAction action = session.next(input);
  ASSERT_EQ(action.kind, Kind::kMail);
  EXPECT_FALSE(session.idle());
  session.close(Reply::of(421, {4, 4, 2}, "Timeout"));  // a decision is not waited for
  EXPECT_EQ(session.next(input.substr(action.consumed)).kind, Kind::kClose);
}

TEST(ServerSession, RefusedContentIsDrainedAndAnswered) {
  const ServerConfig config;
  ServerSession session(config, false);
  std::string input =
      "HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nQUIT\r\nQUIT\r\n.\r\nNOOP\r\n";
  const auto step = [&] {
    const ServerAction action = session.next(input);
    input.erase(0, action.consumed);
    return action.kind;
  };
  for (int i = 0; i < 3; ++i) {
    step();
    session.accept();
  }
  EXPECT_TRUE(session.receiving_content());
  EXPECT_EQ(step(), Kind::kContent);
  (void)session.take_output();
  session.refuse_content(Reply::of(452, {4, 3, 1}, "No memory"));
  EXPECT_EQ(step(), Kind::kAbort);
  EXPECT_EQ(step(), Kind::kRead);
  EXPECT_EQ(session.take_output(), "452 4.3.1 No memory\r\n250 2.0.0 Ok\r\n");
}

TEST(ServerSession, OutputGoesIntoTheMemoryOfTheLast) {
  const ServerConfig config{.hostname = "mx.example"};
  ServerSession session(config, false);
  std::string written = "what was written before";
  (void)session.next("NOOP\r\n");
  session.take_output(written);
  EXPECT_EQ(written, "220 mx.example ESMTP Godwit\r\n250 2.0.0 Ok\r\n");
  EXPECT_FALSE(session.has_output());
  const char* memory = written.data();
  std::string next;
  session.take_output(next);  // nothing: the session has the memory of `next`
  session.take_output(written);
  EXPECT_EQ(written, "");
  (void)session.next("NOOP\r\n");
  session.take_output(next);
  EXPECT_EQ(next, "250 2.0.0 Ok\r\n");
  EXPECT_EQ(next.data(), memory);
}

TEST(ServerSession, TheEnvelopeIsGivenAwayOnce) {
  const ServerConfig config;
  ServerSession session(config, false);
  std::string input =
      "EHLO a\r\nMAIL FROM:<a@b> SMTPUTF8 ENVID=x\r\nRCPT TO:<c@d>\r\nRCPT TO:<\xC3\xA9@d>\r\n"
      "DATA\r\nbody\r\n.\r\nMAIL FROM:<e@f>\r\n";
  const auto step = [&] {
    const ServerAction action = session.next(input);
    input.erase(0, action.consumed);
    return action.kind;
  };
  for (int i = 0; i < 4; ++i) {
    step();
    session.accept();
  }
  EXPECT_EQ(step(), Kind::kContent);
  EXPECT_EQ(step(), Kind::kMessage);
  const Envelope envelope = session.take_envelope();
  EXPECT_EQ(envelope.sender.text(), "a@b");
  EXPECT_EQ(envelope.parameters.envid, "x");
  ASSERT_EQ(envelope.recipients.size(), 2U);
  EXPECT_EQ(envelope.recipients[1].address.text(), "\xC3\xA9@d");
  EXPECT_TRUE(session.envelope().recipients.empty());
  EXPECT_EQ(session.protocol(), "UTF8SMTP");  // what MAIL asked for still holds
  (void)session.take_output();
  session.answer(Reply::of(250, {2, 0, 0}, "kept for \xC3\xA9"));
  EXPECT_EQ(session.take_output(), "250 2.0.0 kept for ??\r\n");
  EXPECT_EQ(step(), Kind::kMail);
  EXPECT_EQ(session.envelope().sender.text(), "e@f");
}

TEST(ServerSession, ProtocolNames) {
  const ServerConfig config{.kind = ServerKind::kSubmission};
  const auto protocol = [&](const std::string& commands, bool tls) {
    ServerSession session(config, tls);
    std::string input = commands;
    for (;;) {
      const ServerAction action = session.next(input);
      input.erase(0, action.consumed);
      if (action.kind == Kind::kAuth) session.answer(Reply::of(235, {2, 7, 0}, "Ok"));
      if (action.kind == Kind::kMail || action.kind == Kind::kRead)
        return std::string(session.protocol());
    }
  };
  EXPECT_EQ(protocol("HELO a\r\n", false), "SMTP");
  EXPECT_EQ(protocol("EHLO a\r\n", false), "ESMTP");
  EXPECT_EQ(protocol("EHLO a\r\n", true), "ESMTPS");
  EXPECT_EQ(protocol("EHLO a\r\nAUTH PLAIN AGEAYg==\r\n", true), "ESMTPSA");
  EXPECT_EQ(protocol("EHLO a\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b> SMTPUTF8\r\n", true),
            "UTF8SMTPSA");
}

}  // namespace
}  // namespace godwit::smtp
