#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "common/text/base64.h"
#include "common/text/errc.h"
#include "common/text/escape.h"
#include "common/text/idna.h"
#include "common/text/octet_set.h"

namespace godwit::text {
namespace {

using std::string_view_literals::operator""sv;

TEST(Idna, RefusesWhatIsNoDomain) {
  const std::string label63(63, 'a');
  const std::string name253 = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
  EXPECT_EQ(to_ascii_domain(name253).value(), name253);
  for (const std::string& bad : {std::string(),
                                 std::string("."),
                                 std::string(".example"),
                                 std::string("a..b"),
                                 std::string("example.."),
                                 std::string(64, 'a') + ".example",
                                 name253 + "b",
                                 std::string("-a.example"),
                                 std::string("a-.example"),
                                 std::string("a b.example"),
                                 std::string("a\0b.example", 11),
                                 std::string("a@b"),
                                 std::string("[192.0.2.1]"),
                                 std::string("a/b"),
                                 std::string("b\xfc"
                                             "cher.example"),
                                 std::string("\xed\xa0\x80.example"),
                                 std::string("x\r\ny.example"),
                                 std::string(5000, 'a'),
                                 std::string("b\xc3\xbc\0.example", 12),
                                 std::string("\xe2\x98\x83\xe2\x80\x8b..example")}) {
    const Result<std::string> result = to_ascii_domain(bad);
    ASSERT_FALSE(result) << printable(bad, 100) << " became " << *result;
    EXPECT_EQ(result.error().code, Errc::kBadDomain);
  }
}

TEST(Idna, BringsNamesIntoOneForm) {
  const struct {
    std::string_view in, out;
  } cases[] = {
      {"example.com", "example.com"},
      {"EXAMPLE.Com.", "example.com"},
      {"a_b.example", "a_b.example"},
      {"localhost", "localhost"},
      {"b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"B\xc3\x9c"
       "CHER.Example",
       "xn--bcher-kva.example"},
      {"bu\xcc\x88"
       "cher.example",
       "xn--bcher-kva.example"},  // decomposed
      {"XN--Bcher-KVA.example", "xn--bcher-kva.example"},
      {"stra\xc3\x9f"
       "e.example",
       "xn--strae-oqa.example"},  // non-transitional
      {"\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95", "xn--fsqu00a.xn--0zwm56d"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(to_ascii_domain(in).value(), out) << in;
}

TEST(Idna, FindsNamesBelowASuffix) {
  EXPECT_TRUE(is_below_or_equal("google.com", "google.com"));
  EXPECT_TRUE(is_below_or_equal("aspmx.l.google.com", "google.com"));
  EXPECT_FALSE(is_below_or_equal("notgoogle.com", "google.com"));
  EXPECT_FALSE(is_below_or_equal("com", "google.com"));
}

TEST(Idna, ComparesIgnoringAsciiCaseOnly) {
  EXPECT_TRUE(equals_ignoring_case("Message-ID", "message-id"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\x9c", "\xc3\xbc"));
}

TEST(Printable, EscapesWhatATerminalWouldActOn) {
  const struct {
    std::string_view in, out;
  } cases[] = {
      {"550 5.1.1 no such user", "550 5.1.1 no such user"},
      {"a\r\nb\tc", "a b c"},
      {"a\0b"sv, "a\\x00b"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {"back\\slash", "back\\\\slash"},
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"latin\xfc", "latin\\xfc"},
      {"\xc2\x85next", "\\xc2\\x85next"},
      {"\xe2\x80\xae"
       "evil",
       "\\xe2\\x80\\xae"
       "evil"},                                      // right-to-left override
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // above U+10FFFF
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
      {"\x7f", "\\x7f"},
  };
  for (const auto& [in, out] : cases) {
    EXPECT_EQ(printable(in, 100), out);
    EXPECT_TRUE(is_utf8(printable(in, 100)));
  }
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("12345678", 8), "12345678");
  EXPECT_EQ(printable("123456789", 8), "12345...");
  EXPECT_EQ(printable("1234\xc3\xbc\xc3\xbc\xc3\xbc", 8), "1234...");
  EXPECT_EQ(printable("1234\x01"
                      "5678",
                      8),
            "1234...");
  for (std::size_t max = 8; max < 40; ++max) {
    const std::string out =
        printable("\xc3\xbc\x01\\\xf0\x9f\x90\xa6\xff\xc3\xbc\x02 text text text text", max);
    EXPECT_LE(out.size(), max);
    EXPECT_TRUE(is_utf8(out)) << max;
  }
}

TEST(Utf8, KnowsWellFormedSequences) {
  for (const auto good : {""sv, "ascii"sv, "\xc3\xbc"sv, "\xe0\xa0\x80"sv, "\xf0\x90\x80\x80"sv,
                          "\xf4\x8f\xbf\xbf"sv, "\0"sv}) {
    EXPECT_TRUE(is_utf8(good));
  }
  for (const auto bad :
       {"\x80"sv, "\xc3"sv, "\xc0\x80"sv, "\xe0\x9f\xbf"sv, "\xed\xa0\x80"sv, "\xf0\x8f\xbf\xbf"sv,
        "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv, "\xe2\x82"sv, "a\xc3("sv}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(Ascii, SeesTheHighBitAtEveryPlace) {
  for (std::size_t size = 0; size < 200; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(is_ascii(text));
    for (std::size_t i = 0; i < size; ++i) {
      text[i] = static_cast<char>(0x80);
      EXPECT_FALSE(is_ascii(text)) << size << " " << i;
      text[i] = 'a';
    }
  }
}

TEST(OctetSet, HasWhatItWasMadeWith) {
  constexpr auto kSet = OctetSet().with('a', 'c').with("x\x80\xFF"sv).without("b");
  for (unsigned octet = 0; octet < 256; ++octet) {
    const bool has = octet == 'a' || octet == 'c' || octet == 'x' || octet == 0x80 || octet == 0xFF;
    EXPECT_EQ(kSet.contains(static_cast<char>(octet)), has) << octet;
  }
  EXPECT_EQ(OctetSet().with(0, 0xFF).span("any\0thing\xFF"sv), 10U);
  EXPECT_EQ(kSet.span(""), 0U);
  EXPECT_EQ(kSet.span("b"), 0U);
  EXPECT_EQ(kSet.span("cax"), 3U);
  EXPECT_EQ(kSet.span("caba"), 2U);
  EXPECT_TRUE(kSet.contains_all(""));
  EXPECT_TRUE(kSet.contains_all("ac\xFF"));
  EXPECT_FALSE(kSet.contains_all("ac b"));
}

TEST(Base64, RefusesWhatIsNotTheAlphabetOrPadding) {
  for (const auto bad :
       {"A"sv, "AA"sv, "AAA"sv, "AA="sv, "AAAA="sv, "A A="sv, "AA==\n"sv, "AA-_"sv, "=AAA"sv,
        "AA=A"sv, "AA==AA=="sv, "Zg==="sv, "===="sv, "Zh=="sv, "Zm9="sv}) {
    EXPECT_FALSE(base64_decode(bad)) << bad;
  }
}

TEST(Base64, RefusesEveryOctetThatIsNoAscii) {
  for (int octet = 0x80; octet < 0x100; ++octet) {
    EXPECT_FALSE(base64_decode(std::string(4, static_cast<char>(octet)))) << octet;
    EXPECT_FALSE(base64_decode("AAA" + std::string(1, static_cast<char>(octet)))) << octet;
  }
  EXPECT_FALSE(base64_decode("\xc4\xbf\x8d\xc5\x9e\xbf\x9f\xc7"));  // found by tests/fuzz
}

TEST(Base64, GoesThereAndBack) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");  // RFC 4648 s10
  EXPECT_EQ(base64_decode("AGFjbWUAc2VjcmV0").value(), "\0acme\0secret"sv);
  EXPECT_EQ(base64_decode("").value(), "");
  std::string octets;
  for (int i = 0; i < 256; ++i) {
    octets.push_back(static_cast<char>(i));
    EXPECT_EQ(base64_decode(base64_encode(octets)).value(), octets);
  }
}

}  // namespace
}  // namespace godwit::text
