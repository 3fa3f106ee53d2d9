#include "common/smtp/reply.h"

#include <gtest/gtest.h>

#include "common/smtp/errc.h"

namespace godwit::smtp {
namespace {

TEST(EnhancedCode, TextBothWays) {
  EXPECT_EQ((EnhancedCode{4, 7, 10}.to_text()), "4.7.10");
  EXPECT_EQ(EnhancedCode::parse("5.999.0"), (EnhancedCode{5, 999, 0}));
  for (const char* text : {"", "5", "5.1", "5.1.", "5.1.1 ", " 5.1.1", "3.1.1", "1.0.0", "5.01.1",
                           "5.1.1000", "5.1.1.1", "5..1"}) {
    EXPECT_FALSE(EnhancedCode::parse(text)) << text;
  }
}

TEST(Reply, OnTheWire) {
  struct Case {
    Reply reply;
    const char* wire;
  };
  const Case cases[] = {
      {{250, std::nullopt, ""}, "250 \r\n"},
      {Reply::of(250, {2, 1, 0}, "Ok"), "250 2.1.0 Ok\r\n"},
      {{250, std::nullopt, "a\nPIPELINING"}, "250-a\r\n250 PIPELINING\r\n"},
      {Reply::of(550, {5, 7, 1}, "No\nmore"), "550-5.7.1 No\r\n550 5.7.1 more\r\n"},
      {Reply::of(550, {5, 7, 1}, "a\rb\x01\xC3\xA9"), "550 5.7.1 a?b???\r\n"},
  };
  for (const auto& [reply, wire] : cases) {
    std::string out;
    append_reply(out, reply);
    EXPECT_EQ(out, wire);
  }
  std::string out;
  append_reply(out, Reply{250, std::nullopt, "\xC3\xA9"}, true);
  EXPECT_EQ(out, "250 \xC3\xA9\r\n");
  out.clear();
  append_reply(out, Reply::of(250, {2, 0, 0}, std::string(2000, 'x')));
  EXPECT_EQ(out.size(), 512u);  // RFC 5321 s4.5.3.1.5
}

TEST(Reply, Parses) {
  struct Case {
    const char* wire;
    Reply reply;
  };
  const Case cases[] = {
      {"250 ok\r\n", {250, std::nullopt, "ok"}},
      {"250\r\n", {250, std::nullopt, ""}},
      {"250 2.1.0 Sender ok\r\n", {250, EnhancedCode{2, 1, 0}, "Sender ok"}},
      {"250-a\r\n250-SIZE 100\r\n250 HELP\r\n", {250, std::nullopt, "a\nSIZE 100\nHELP"}},
      {"550-5.7.1 one\r\n550 5.7.1 two\r\n", {550, EnhancedCode{5, 7, 1}, "one\ntwo"}},
      {"550 4.7.1 class differs\r\n", {550, std::nullopt, "4.7.1 class differs"}},
      {"250 2.0.0\r\n", {250, EnhancedCode{2, 0, 0}, ""}},
      {"250 2.0.0x\r\n", {250, std::nullopt, "2.0.0x"}},
      {"250 a\x01z\r\n", {250, std::nullopt, "a?z"}},
  };
  for (const auto& [wire, reply] : cases) {
    const auto parsed = parse_reply(std::string(wire) + "rest");
    ASSERT_TRUE(parsed) << wire;
    ASSERT_TRUE(*parsed) << wire;
    EXPECT_EQ((*parsed)->reply, reply) << wire;
    EXPECT_EQ((*parsed)->length, std::string_view(wire).size());
    for (std::size_t cut = 0; cut < std::string_view(wire).size(); ++cut) {
      const auto part = parse_reply(std::string_view(wire).substr(0, cut));
      ASSERT_TRUE(part) << wire << " cut at " << cut;
      EXPECT_FALSE(*part) << wire << " cut at " << cut;
    }
  }
}

TEST(Reply, RefusesWhatIsNone) {
  struct Case {
    std::string wire;
    Errc errc;
  };
  const Case cases[] = {
      {"hello\r\n", Errc::kBadSyntax},
      {"25\r\n", Errc::kBadSyntax},
      {"199 no\r\n", Errc::kBadSyntax},
      {"600 no\r\n", Errc::kBadSyntax},
      {"250_no\r\n", Errc::kBadSyntax},
      {"250-a\r\n251 b\r\n", Errc::kBadSyntax},
      {"250 a\n", Errc::kBareControl},
      {"250 a\rb\r\n", Errc::kBareControl},
      {std::string("250 \0a\r\n", 8), Errc::kBareControl},
      {std::string(2048, '2'), Errc::kLineTooLong},
      {"250 " + std::string(2043, 'x') + "\r\n", Errc::kLineTooLong},
  };
  for (const auto& [wire, errc] : cases) {
    const auto parsed = parse_reply(wire);
    ASSERT_FALSE(parsed) << wire;
    EXPECT_EQ(parsed.error().code, errc) << wire;
  }
  EXPECT_TRUE(parse_reply("250 " + std::string(2042, 'x') + "\r\n"));
  std::string lines;
  for (int i = 0; i < 128; ++i) lines += "250-x\r\n";
  EXPECT_EQ(parse_reply(lines).error().code, Errc::kTooManyLines);
}

}  // namespace
}  // namespace godwit::smtp
