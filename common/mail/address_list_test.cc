#include "common/mail/address_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/mail/errc.h"
#include "common/text/idna.h"

namespace godwit::mail {
namespace {

using std::string_literals::operator""s;

TEST(AddressList, RefusesWhatCouldMeanTwoThings) {
  for (const std::string& bad : {"a b@example.com"s,
                                 "a@b c"s,
                                 "<a@b"s,
                                 "a@b>"s,
                                 "a@"s,
                                 "@b"s,
                                 "a@@b"s,
                                 "a@b@c"s,
                                 "\"open"s,
                                 "a@b (open"s,
                                 "group: a@b"s,
                                 "g: h: a@b;;"s,
                                 "a@b;"s,
                                 "<a@b> <c@d>"s,
                                 "a@[open"s,
                                 "a@b..c"s,
                                 "a..b@c"s,
                                 ".a@b"s,
                                 "a.@b"s,
                                 "<>"s,
                                 "name <>"s,
                                 "a@b,<"s,
                                 "a@\0b"s,
                                 "a\x01@b"s,
                                 "\"a\x01\"@b"s,
                                 "a@[1.2 3]"s,
                                 "name\\@x <a@b>"s,
                                 "two words"s,
                                 "<@a:b@c"s,
                                 "<@a b@c>"s}) {
    const auto list = parse_address_list(bad);
    ASSERT_FALSE(list) << bad << " has " << list->size();
    EXPECT_EQ(list.error().code, Errc::kBadAddressList) << bad;
  }
}

TEST(AddressList, HasLimits) {
  const std::string nested =
      std::string(kCommentDepthMax + 1, '(') + std::string(kCommentDepthMax + 1, ')');
  EXPECT_EQ(parse_address_list(nested + "a@b").error().code, Errc::kTooMany);
  EXPECT_TRUE(parse_address_list(nested.substr(1, nested.size() - 2) + "a@b"));
  std::string many;
  for (std::size_t i = 0; i <= kMailboxesMax; ++i) many += "a@b,";
  EXPECT_EQ(parse_address_list(many).error().code, Errc::kTooMany);
}

TEST(AddressList, ReadsEveryMailbox) {
  const struct {
    std::string in;
    std::vector<Mailbox> out;
  } cases[] = {
      {"", {}},
      {" , ,\r\n\t", {}},
      {"a@example.com", {{"", "a", "example.com"}}},
      {" A.B@Example.COM \r\n", {{"", "A.B", "Example.COM"}}},
      {"<a@b>", {{"", "a", "b"}}},
      {"Jane Doe <j@b>", {{"Jane Doe", "j", "b"}}},
      {"\"Doe, Jane\" <j@b>, k@c", {{"Doe, Jane", "j", "b"}, {"", "k", "c"}}},
      {"\"a \\\" b\" <j@b>", {{"a \" b", "j", "b"}}},
      {"J. Doe <j@b>", {{"J. Doe", "j", "b"}}},
      {"Jane\r\n Doe\r\n <j@b>", {{"Jane Doe", "j", "b"}}},
      {"\"odd local\"@b", {{"", "odd local", "b"}}},
      {"\"a@b\"@c", {{"", "a@b", "c"}}},
      {"a . b (why) @ (not) c . d", {{"", "a.b", "c.d"}}},
      {"(a@evil (nested \\) still)) j@b", {{"", "j", "b"}}},
      {"Pete(A \\) chap) <pete(his)@silly.test(his host)>", {{"Pete", "pete", "silly.test"}}},
      {"=?utf-8?q?J=C3=BCrgen?= <j@b>", {{"=?utf-8?q?J=C3=BCrgen?=", "j", "b"}}},
      {"J\xc3\xbcrgen <j\xc3\xbc@b\xc3\xbc.example>",
       {{"J\xc3\xbcrgen", "j\xc3\xbc", "b\xc3\xbc.example"}}},
      {"undisclosed-recipients:;", {}},
      {"A Group:Ed <e@b>, j@c;, k@d", {{"Ed", "e", "b"}, {"", "j", "c"}, {"", "k", "d"}}},
      {"a@[192.0.2.1]", {{"", "a", "[192.0.2.1]"}}},
      {"a@[IPv6:2001:db8::1]", {{"", "a", "[IPv6:2001:db8::1]"}}},
      {"<@x.test,@y.test:a@b>", {{"", "a", "b"}}},
      {"root", {{"", "root", ""}}},
      {"a@b.example <c@d.example>", {{"a@b.example", "c", "d.example"}}},
      {"j@b,,k@c,", {{"", "j", "b"}, {"", "k", "c"}}},
  };
  for (const auto& [in, out] : cases) {
    const auto list = parse_address_list(in);
    ASSERT_TRUE(list) << in << ": " << list.error().to_string();
    EXPECT_EQ(*list, out) << in;
  }
}

TEST(FromDomain, IsOfTheFirstMailbox) {
  EXPECT_EQ(from_domain("A <a@Example.COM>, b@other.example").value(), "example.com");
  EXPECT_EQ(from_domain("Staff: a@one.example;").value(), "one.example");
  EXPECT_EQ(from_domain("\"a@good.example\" <b@evil.example>").value(), "evil.example");
  EXPECT_EQ(from_domain("undisclosed:;").error().code, Errc::kNoAddress);
  EXPECT_EQ(from_domain("root").error().code, Errc::kNoAddress);
  EXPECT_EQ(from_domain("a b c@d e").error().code, Errc::kBadAddressList);
}

// What it reads without the parser it reads as the parser does.
TEST(FromDomain, AgreesWithTheParser) {
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  const std::vector<std::string> values{"news@shop.example", "<a@b>", "Ann B. Example <a.b@C.d>",
                                        " \"The Shop\" <news@shop.example>", "a@b, c@d"};
  const std::vector<std::string> insertions{
      "@", "<",  ">", "\"", "\\", ",",     ":",  ";",    "(",        ")",    "[",     "]",
      ".", "..", " ", "\t", "\n", "\r\n ", "aB", "\x01", "\xC3\xBC", "\x7F", "<c@d>", "\""};
  int known = 0;
  int unknown = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string value = values[random() % values.size()];
    for (auto edits = random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % (value.size() + 1);
      if (random() % 3 == 0)
        value.erase(at, 1);
      else
        value.insert(at, insertions[random() % insertions.size()]);
    }
    const auto list = parse_address_list(value);
    const auto domain = from_domain(value);
    const bool has_domain = list && !list->empty() && !list->front().domain.empty();
    ASSERT_EQ(domain.has_value(), has_domain) << "seed " << seed << ": " << value;
    ++(has_domain ? known : unknown);
    if (!has_domain) continue;
    ASSERT_EQ(*domain, text::to_lower(list->front().domain)) << "seed " << seed << ": " << value;
  }
  EXPECT_GT(known, 1000);
  EXPECT_GT(unknown, 1000);
}

}  // namespace
}  // namespace godwit::mail
