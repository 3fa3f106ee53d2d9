#include "common/smtp/sasl.h"

#include <gtest/gtest.h>

#include "common/text/base64.h"

namespace godwit::smtp {
namespace {

using text::base64_decode;
using text::base64_encode;

using Step = AuthExchange::Step;

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
  EXPECT_EQ(base64_decode(exchange.challenge()).value(), "Username:");
  ASSERT_EQ(exchange.line("dXNlcg=="), Step::kChallenge);
  EXPECT_EQ(base64_decode(exchange.challenge()).value(), "Password:");
  ASSERT_EQ(exchange.line("cGFzcw=="), Step::kDone);
  EXPECT_EQ(exchange.take_credentials().password, "pass");

  AuthExchange initial;
  ASSERT_EQ(initial.begin("LOGIN dXNlcg=="), Step::kChallenge);
  EXPECT_EQ(base64_decode(initial.challenge()).value(), "Password:");
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
      {"PLAIN", base64_encode("user"), "501 5.5.2"},
      {"PLAIN", base64_encode(std::string("\0\0pass", 6)), "501 5.5.2"},
      {"PLAIN", base64_encode(std::string("\0user\0pa\0ss", 11)), "501 5.5.2"},
      {"PLAIN",
       base64_encode(std::string(1, '\0') + std::string(256, 'u') + std::string(1, '\0') + "p"),
       "501 5.5.2"},
      {"LOGIN", "", "501 5.5.2"},
      {"LOGIN", base64_encode(std::string("a\0b", 3)), "501 5.5.2"},
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
