#include "common/smtp/sasl.h"

#include <gtest/gtest.h>

namespace godwit::smtp {
namespace {

using Step = AuthExchange::Step;

TEST(Base64, BothWays) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\xfd"}) {
    EXPECT_EQ(decode_base64(encode_base64(text)), text);
  }
  EXPECT_EQ(encode_base64("fooba"), "Zm9vYmE=");
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=g==", "Zh==", "Zm9=", "Z g=", "Zm9v\n", "Zg==Zg=="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

TEST(AuthExchange, Plain) {
  AuthExchange exchange;
  ASSERT_EQ(exchange.begin("plain AHVzZXIAcGFzcw=="), Step::kDone);
  const Credentials credentials = exchange.take_credentials();
  EXPECT_EQ(credentials.username, "user");
  EXPECT_EQ(credentials.password, "pass");
  EXPECT_EQ(plain_response(credentials), "AHVzZXIAcGFzcw==");

  AuthExchange later;
  ASSERT_EQ(later.begin("PLAIN"), Step::kChallenge);
  EXPECT_EQ(later.challenge(), "");
  ASSERT_EQ(later.line("YWRtaW4AdXNlcgBwYXNz"), Step::kDone);
  EXPECT_EQ(later.take_credentials().authorization, "admin");
}

TEST(AuthExchange, Login) {
  AuthExchange exchange;
  ASSERT_EQ(exchange.begin("LOGIN"), Step::kChallenge);
  EXPECT_EQ(decode_base64(exchange.challenge()), "Username:");
  ASSERT_EQ(exchange.line("dXNlcg=="), Step::kChallenge);
  EXPECT_EQ(decode_base64(exchange.challenge()), "Password:");
  ASSERT_EQ(exchange.line("cGFzcw=="), Step::kDone);
  EXPECT_EQ(exchange.take_credentials().password, "pass");

  AuthExchange initial;
  ASSERT_EQ(initial.begin("LOGIN dXNlcg=="), Step::kChallenge);
  EXPECT_EQ(decode_base64(initial.challenge()), "Password:");
}

TEST(AuthExchange, Refusals) {
  struct Case {
    std::string begin;
    std::string line;
    const char* reply;
  };
  const Case cases[] = {
      {"", "", "501 5.5.4"},
      {"CRAM-MD5", "", "504 5.5.4"},
      {"PLAIN *", "", "501 5.5.2"},
      {"PLAIN =", "", "501 5.5.2"},
      {"PLAIN", "*", "501 5.7.0"},
      {"PLAIN", "AHVzZXIAcGFzcw", "501 5.5.2"},
      {"PLAIN", encode_base64("user"), "501 5.5.2"},
      {"PLAIN", encode_base64(std::string("\0\0pass", 6)), "501 5.5.2"},
      {"PLAIN", encode_base64(std::string("\0user\0pa\0ss", 11)), "501 5.5.2"},
      {"PLAIN",
       encode_base64(std::string(1, '\0') + std::string(256, 'u') + std::string(1, '\0') + "p"),
       "501 5.5.2"},
      {"LOGIN", "", "501 5.5.2"},
      {"LOGIN", encode_base64(std::string("a\0b", 3)), "501 5.5.2"},
      {"LOGIN =", "", "501 5.5.2"},
  };
  for (const auto& [begin, line, reply] : cases) {
    AuthExchange exchange;
    auto step = exchange.begin(begin);
    if (step && *step == Step::kChallenge) step = exchange.line(line);
    ASSERT_FALSE(step) << begin << " / " << line;
    EXPECT_TRUE(step.error().to_text().starts_with(reply))
        << begin << ": " << step.error().to_text();
  }
}

}  // namespace
}  // namespace godwit::smtp
