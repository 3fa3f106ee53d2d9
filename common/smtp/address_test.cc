#include "common/smtp/address.h"

#include <gtest/gtest.h>

#include "common/smtp/domain.h"
#include "common/smtp/errc.h"

namespace godwit::smtp {
namespace {

TEST(Address, TakesMailboxes) {
  struct Case {
    std::string text, local, domain;
  };
  for (const auto& [text, local, domain] : std::initializer_list<Case>{
           {"a@b", "a", "b"},
           {"first.last@example.org", "first.last", "example.org"},
           {"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~", "example.org"},
           {R"("john doe"@example.org)", R"("john doe")", "example.org"},
           {R"("a\"b\\c@d"@example.org)", R"("a\"b\\c@d")", "example.org"},
           {R"(""@example.org)", R"("")", "example.org"},
           {"a@[192.0.2.1]", "a", "[192.0.2.1]"},
           {"a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"},
           {"a@[IPv6:::ffff:192.0.2.1]", "a", "[IPv6:::ffff:192.0.2.1]"},
           {"a@[x-tag:anything]", "a", "[x-tag:anything]"},
           {"a@host_name.example", "a", "host_name.example"},
           {std::string(64, 'l') + "@example.org", std::string(64, 'l'), "example.org"},
       }) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text << ": " << address.error().to_string();
    EXPECT_EQ(address->text(), text);
    EXPECT_EQ(address->local_part(), local);
    EXPECT_EQ(address->domain(), domain);
    EXPECT_FALSE(address->is_null());
  }
}

TEST(Address, RefusesWhatIsNone) {
  for (const std::string text : {
           "",
           "a",
           "@b",
           "a@",
           "a@@b",
           ".a@b",
           "a.@b",
           "a..b@c",
           "a b@c",
           "a@b c",
           "a@b.",
           "a@.b",
           "a@b..c",
           "a@-b",
           "a@b-",
           "\"a@b",
           "\"a\"b@c",
           "a\"b\"@c",
           "a@[192.0.2]",
           "a@[192.0.2.256]",
           "a@[192.0.2.01]",
           "a@[1.2.3.4",
           "a@[IPv6:2001:db8]",
           "a@[IPv6:1::2::3]",
           "a@[IPv6:12345::]",
           "a@[]",
           "a@[:x]",
           "a@[x:]",
           "a,b@c",
           "a@b,c",
           "<a@b>",
           "a@b>",
           "\"a\x01\"@b",
           "\"a\\",
           "a@b\x7f",
           "postmaster",
           "a@b:25",
           "a(c)@b",
       }) {
    const auto address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Errc::kBadSyntax) << text;
  }
}

TEST(Address, Limits) {
  const std::string label(63, 'd');
  const std::string longest =
      label + "." + label + "." + label + "." + std::string(61, 'd');  // 253
  const AddressRules wide{.path_bytes_max = 1000};
  EXPECT_TRUE(Address::parse("a@" + longest, wide));
  EXPECT_EQ(Address::parse("a@" + longest + "ddd", wide).error().code, Errc::kDomainTooLong);
  EXPECT_EQ(Address::parse("a@" + std::string(64, 'd')).error().code, Errc::kBadSyntax);
  EXPECT_EQ(Address::parse(std::string(65, 'l') + "@b").error().code, Errc::kLocalPartTooLong);
  EXPECT_TRUE(Address::parse(std::string(65, 'l') + "@b", {.local_part_bytes_max = 65}));
  // RFC 5321 s4.5.3.1.3: 256 with the brackets, so 254 without.
  EXPECT_TRUE(Address::parse("a@" + longest.substr(1)));
  EXPECT_EQ(Address::parse("aa@" + longest).error().code, Errc::kPathTooLong);
}

TEST(Address, Utf8NeedsToBeAskedFor) {
  for (const std::string text : {"j\xC3\xB6rg@example.org",
                                 "a@b\xC3\xBC"
                                 "cher.example",
                                 "\"\xE2\x82\xAC\"@b"}) {
    EXPECT_EQ(Address::parse(text).error().code, Errc::kNeedsUtf8) << text;
    const auto address = Address::parse(text, {.utf8 = true});
    ASSERT_TRUE(address) << text;
    EXPECT_TRUE(address->needs_utf8());
  }
  // Not well-formed: overlong, surrogate, too large, cut off, a lone continuation.
  for (const std::string text :
       {"\xC0\xAF@b", "\xED\xA0\x80@b", "\xF4\x90\x80\x80@b", "\xE2\x82@b", "\x80@b", "a@\xFF"}) {
    EXPECT_EQ(Address::parse(text, {.utf8 = true}).error().code, Errc::kBadSyntax) << text;
  }
}

TEST(Path, BracketsRoutesAndNull) {
  const auto null = parse_path("<> BODY=7BIT", {}, true);
  ASSERT_TRUE(null);
  EXPECT_TRUE(null->address.is_null());
  EXPECT_EQ(null->length, 2u);
  EXPECT_FALSE(parse_path("<>", {}, false));

  const auto routed = parse_path("<@relay.example,@[192.0.2.1]:user@example.org>x", {}, false);
  ASSERT_TRUE(routed);
  EXPECT_EQ(routed->address.text(), "user@example.org");
  EXPECT_EQ(routed->length, 46u);

  const auto postmaster = parse_path("<PostMaster>", {.bare_postmaster = true}, false);
  ASSERT_TRUE(postmaster);
  EXPECT_EQ(postmaster->address.text(), "PostMaster");
  EXPECT_EQ(postmaster->address.domain(), "");

  for (const char* text :
       {"", "a@b", "<a@b", "a@b>", "< a@b>", "<a@b >", "<<a@b>>", "<@a:>", "<@a b@c>", "<@:b@c>",
        "<@a,b@c>", "<@a,:b@c>", "<@a,@b>", "<postmaste>", "<\"postmaster\">", "<a@b\">"}) {
    EXPECT_FALSE(parse_path(text, {.bare_postmaster = true}, true)) << text;
  }
}

TEST(Domain, Ip) {
  for (const char* text :
       {"::", "::1", "1::", "2001:db8::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4"}) {
    EXPECT_TRUE(is_ipv6(text)) << text;
  }
  for (const char* text :
       {"", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8",
        "1.2.3.4::", "g::", "::12345", "1:2:3:4:5:6:7:1.2.3.4", ":1:2:3:4:5:6:7"}) {
    EXPECT_FALSE(is_ipv6(text)) << text;
  }
}

}  // namespace
}  // namespace godwit::smtp
