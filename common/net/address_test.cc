#include "common/net/address.h"

#include <gtest/gtest.h>

namespace godwit::net {
namespace {

TEST(IpAddressTest, TextBothWays) {
  const struct {
    const char* text;
    const char* out;  // nullptr: refused
  } cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"::", "::"},
      {"::ffff:192.0.2.1", "192.0.2.1"},  // mapped: one host has one form
      {"", nullptr},
      {"192.0.2", nullptr},
      {"192.0.2.256", nullptr},
      {"192.0.2.1.", nullptr},
      {"192.0.2.01", nullptr},
      {" 192.0.2.1", nullptr},
      {"[::1]", nullptr},
      {"fe80::1%eth0", nullptr},
      {"example.test", nullptr},
      {"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111", nullptr},
  };
  for (const auto& c : cases) {
    const auto address = IpAddress::from_text(c.text);
    ASSERT_EQ(address.has_value(), c.out != nullptr) << c.text;
    if (address) EXPECT_EQ(address->to_text(), c.out);
  }
  EXPECT_FALSE(IpAddress::from_text(std::string_view("192.0.2.1\0", 10)));
}

TEST(IpAddressTest, OctetsBothWays) {
  const auto v4 = IpAddress::from_octets(std::string_view("\x7f\0\0\x01", 4));
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->to_text(), "127.0.0.1");
  EXPECT_EQ(v4->octets().size(), 4U);
  EXPECT_EQ(IpAddress::from_octets(IpAddress::from_text("2001:db8::7")->octets())->to_text(),
            "2001:db8::7");
  EXPECT_FALSE(IpAddress::from_octets("abc"));
  EXPECT_FALSE(IpAddress::from_octets(""));
}

TEST(IpAddressTest, LiteralIsThatOfSmtp) {
  EXPECT_EQ(IpAddress::from_text("192.0.2.1")->to_literal(), "[192.0.2.1]");
  EXPECT_EQ(IpAddress::from_text("2001:db8::1")->to_literal(), "[IPv6:2001:db8::1]");
}

TEST(IpAddressTest, Scope) {
  const struct {
    const char* text;
    Scope scope;
  } cases[] = {
      {"8.8.8.8", Scope::kGlobal},
      {"0.0.0.0", Scope::kUnspecified},
      {"0.1.2.3", Scope::kUnspecified},
      {"127.255.255.255", Scope::kLoopback},
      {"128.0.0.0", Scope::kGlobal},
      {"10.0.0.1", Scope::kPrivate},
      {"172.15.255.255", Scope::kGlobal},
      {"172.16.0.0", Scope::kPrivate},
      {"172.31.255.255", Scope::kPrivate},
      {"172.32.0.0", Scope::kGlobal},
      {"192.168.1.1", Scope::kPrivate},
      {"100.64.0.1", Scope::kPrivate},
      {"100.128.0.0", Scope::kGlobal},
      {"169.254.169.254", Scope::kLinkLocal},
      {"224.0.0.1", Scope::kMulticast},
      {"255.255.255.255", Scope::kMulticast},
      {"192.0.2.1", Scope::kReserved},
      {"198.18.0.1", Scope::kReserved},
      {"240.0.0.1", Scope::kReserved},
      {"::", Scope::kUnspecified},
      {"::1", Scope::kLoopback},
      {"::ffff:127.0.0.1", Scope::kLoopback},
      {"::ffff:10.0.0.1", Scope::kPrivate},
      {"::2", Scope::kReserved},
      {"64:ff9b::8.8.8.8", Scope::kGlobal},
      {"64:ff9b::127.0.0.1", Scope::kLoopback},
      {"fc00::1", Scope::kPrivate},
      {"fdff::1", Scope::kPrivate},
      {"fe80::1", Scope::kLinkLocal},
      {"ff02::1", Scope::kMulticast},
      {"2001:db8::1", Scope::kReserved},
      {"2001::1", Scope::kReserved},
      {"2002:7f00:1::", Scope::kReserved},
      {"2a00:1450:4001::1a", Scope::kGlobal},
      {"4000::1", Scope::kReserved},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(IpAddress::from_text(c.text)->scope(), c.scope) << c.text;
  }
}

TEST(AddressTest, TextBothWays) {
  const struct {
    const char* text;
    const char* out;  // nullptr: refused
  } cases[] = {
      {"192.0.2.1:25", "192.0.2.1:25"},
      {"[2001:db8::1]:25", "[2001:db8::1]:25"},
      {"127.0.0.1:0", "127.0.0.1:0"},
      {"127.0.0.1:65535", "127.0.0.1:65535"},
      {"127.0.0.1:65536", nullptr},
      {"127.0.0.1:", nullptr},
      {"127.0.0.1:+5", nullptr},
      {"127.0.0.1:025", nullptr},
      {"127.0.0.1:25x", nullptr},
      {"127.0.0.1", nullptr},
      {"2001:db8::1", nullptr},
      {"2001:db8::1:25", nullptr},
      {"[2001:db8::1]25", nullptr},
      {"[2001:db8::1", nullptr},
      {"[192.0.2.1]:25", nullptr},
      {"[]:25", nullptr},
      {":25", nullptr},
      {"", nullptr},
  };
  for (const auto& c : cases) {
    const auto address = Address::from_text(c.text);
    ASSERT_EQ(address.has_value(), c.out != nullptr) << c.text;
    if (address) EXPECT_EQ(address->to_text(), c.out);
  }
}

TEST(AddressTest, DefaultPort) {
  EXPECT_EQ(Address::from_text("192.0.2.1", 25)->to_text(), "192.0.2.1:25");
  EXPECT_EQ(Address::from_text("192.0.2.1:26", 25)->to_text(), "192.0.2.1:26");
  EXPECT_EQ(Address::from_text("2001:db8::1", 25)->to_text(), "[2001:db8::1]:25");
  EXPECT_EQ(Address::from_text("[2001:db8::1]", 25)->to_text(), "[2001:db8::1]:25");
  EXPECT_FALSE(Address::from_text("192.0.2.1:", 25));
}

TEST(NetworkTest, ContainsByPrefix) {
  const struct {
    const char* network;
    const char* address;
    bool inside;
  } cases[] = {
      {"127.0.0.0/8", "127.9.9.9", true},
      {"127.0.0.0/8", "128.0.0.0", false},
      {"10.1.0.0/20", "10.1.15.255", true},
      {"10.1.0.0/20", "10.1.16.0", false},
      {"0.0.0.0/0", "255.1.2.3", true},
      {"0.0.0.0/0", "::1", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1", "::1", true},
      {"10.0.0.0/8", "::ffff:10.0.0.1", true},
  };
  for (const auto& c : cases) {
    const auto network = Network::from_text(c.network);
    ASSERT_TRUE(network) << c.network;
    EXPECT_EQ(network->contains(*IpAddress::from_text(c.address)), c.inside)
        << c.network << " " << c.address;
  }
  for (const char* bad : {"10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1",
                          "10.0.0.0/8/8", "/8", ""}) {
    EXPECT_FALSE(Network::from_text(bad)) << bad;
  }
  EXPECT_EQ(Network::from_text("10.0.0.0/8")->to_text(), "10.0.0.0/8");
}

}  // namespace
}  // namespace godwit::net
