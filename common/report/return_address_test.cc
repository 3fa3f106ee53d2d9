#include "common/report/return_address.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/clock.h"
#include "common/report/errc.h"
#include "common/text/idna.h"

namespace godwit::report {
namespace {

constexpr std::string_view kDomain = "bounce.acme.example";
const ReturnKey kOld{1, std::string(32, 'o')};
const ReturnKey kNew{2, std::string(32, 'n')};

ReturnAddress an_address() {
  return {.message = *MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e"),
          .index = 70'000,
          .tenant_tag = tenant_tag("acme")};
}

std::error_code decode_error(const ReturnKeys& keys, std::string_view address) {
  const auto decoded = keys.decode(address);
  return decoded ? std::error_code{} : decoded.error().code;
}

TEST(ReturnAddress, ComesBackAsItWent) {
  const ReturnKeys keys({kNew});
  const std::string address = keys.encode(an_address(), kDomain);
  EXPECT_EQ(address.find('@'), 62U) << address;
  const auto decoded = keys.decode(address);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, an_address());
}

// docs/formats/return-address.md has the same one: for ever, as addresses are out in the world.
TEST(ReturnAddress, HasTheFormOfTheWorkedExample) {
  const ReturnKeys keys({{7, std::string(32, '\x42')}});
  EXPECT_EQ(keys.encode({.message = *MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e"),
                         .index = 3,
                         .tenant_tag = tenant_tag("acme")},
                        kDomain),
            "b+a4azbjwylm7xyqm5fyhwugzmhvhaaaaaaobcwm5nkaxx5wa5gqjnq7enae5q"
            "@bounce.acme.example");
}

TEST(ReturnAddress, CaseDoesNotMatter) {
  const ReturnKeys keys({kNew});
  std::string address = keys.encode(an_address(), kDomain);
  for (std::size_t i = 0; i < address.size(); i += 2)
    address[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(address[i])));
  ASSERT_TRUE(keys.decode(address)) << address;
}

TEST(ReturnAddress, OneCharacterChangedIsForged) {
  const ReturnKeys keys({kNew});
  const std::string address = keys.encode(an_address(), kDomain);
  for (std::size_t i = 4; i < 62; ++i) {  // before that: the key's id
    std::string changed = address;
    changed[i] = changed[i] == 'a' ? 'b' : 'a';
    const auto error = decode_error(keys, changed);
    // The last character holds four octets that must be zero.
    EXPECT_TRUE(error == Errc::kForged || (i == 61 && error == Errc::kNotReturnAddress))
        << i << " " << error.message();
  }
}

TEST(ReturnAddress, IsOfItsDomainOnly) {
  const ReturnKeys keys({kNew});
  const std::string address = keys.encode(an_address(), kDomain);
  EXPECT_EQ(decode_error(keys, address.substr(0, 63) + "bounce.other.example"), Errc::kForged);
}

TEST(ReturnAddress, KeysAreRotated) {
  const std::string before = ReturnKeys({kOld}).encode(an_address(), kDomain);
  const ReturnKeys both({kNew, kOld});
  EXPECT_TRUE(both.decode(before));
  const std::string after = both.encode(an_address(), kDomain);
  EXPECT_NE(before, after);
  EXPECT_TRUE(ReturnKeys({kNew}).decode(after));
  EXPECT_EQ(decode_error(ReturnKeys({kNew}), before), Errc::kUnknownKey);
  // The same id with another secret.
  EXPECT_EQ(decode_error(ReturnKeys({{1, std::string(32, 'x')}}), before), Errc::kForged);
}

TEST(ReturnAddress, OthersAreNotOurs) {
  const ReturnKeys keys({kNew});
  const std::string address = keys.encode(an_address(), kDomain);
  const std::string_view cases[] = {"",           "@",
                                    "b+@x",       "postmaster@bounce.acme.example",
                                    "b+aaaa@x",   "c+abcdefghijklmnopqrstuvwxyz@x",
                                    "no-at-sign", "b+\xff\xfe@x"};
  for (const std::string_view one : cases)
    EXPECT_EQ(decode_error(keys, one), Errc::kNotReturnAddress) << one;
  EXPECT_EQ(decode_error(keys, "b+a" + address.substr(2)), Errc::kNotReturnAddress);
  std::string digit = address;
  digit[10] = '1';  // not of the alphabet
  EXPECT_EQ(decode_error(keys, digit), Errc::kNotReturnAddress);
}

TEST(ReturnKeys, AreReadFromAFile) {
  const auto keys = ReturnKeys::parse("# the first one signs\n" + ReturnKeys::line(kNew) + "\r\n" +
                                      "\n" + ReturnKeys::line(kOld));
  ASSERT_TRUE(keys) << keys.error().to_string();
  EXPECT_EQ(keys->encode(an_address(), kDomain), ReturnKeys({kNew}).encode(an_address(), kDomain));
  EXPECT_TRUE(keys->decode(ReturnKeys({kOld}).encode(an_address(), kDomain)));
}

TEST(ReturnKeys, ABadFileIsRefusedWithItsLine) {
  const std::string good = ReturnKeys::line(kNew);
  const struct {
    std::string file;
    std::string_view says;
  } cases[] = {
      {"", "no key"},
      {"# nothing\n", "no key"},
      {"1\n", "line 1"},
      {good + "256 " + std::string(64, 'a') + "\n", "line 2"},
      {"x " + std::string(64, 'a') + "\n", "line 1"},
      {"1 " + std::string(30, 'a') + "\n", "16 octets"},
      {"1 " + std::string(33, 'a') + "\n", "hexadecimal"},
      {"1 " + std::string(64, 'g') + "\n", "hexadecimal"},
      {good + good, "twice"},
  };
  for (const auto& [file, says] : cases) {
    const auto keys = ReturnKeys::parse(file);
    ASSERT_FALSE(keys) << file;
    EXPECT_EQ(keys.error().code, Errc::kBadKeys);
    EXPECT_NE(keys.error().to_string().find(says), std::string::npos) << keys.error().to_string();
  }
}

}  // namespace
}  // namespace godwit::report
