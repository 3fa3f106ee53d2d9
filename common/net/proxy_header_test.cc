#include "common/net/proxy_header.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/crc32c.h"
#include "common/net/errc.h"

namespace godwit::net {
namespace {

using namespace std::string_view_literals;

// As a socket would give it: never more than is wanted, in pieces of at most `piece`.
struct Read {
  Result<void> result;
  std::optional<ProxiedEnds> ends;
  std::size_t rest = 0;  // octets that were left where they were
  bool complete = false;
};
Read read(std::string_view octets, std::size_t piece = 1 << 16) {
  ProxyHeaderReader reader;
  while (reader.wanted() > 0 && !octets.empty()) {
    const std::size_t count = std::min({reader.wanted(), piece, octets.size()});
    if (Result<void> taken = reader.take(octets.substr(0, count)); !taken)
      return {.result = taken, .ends = {}, .rest = octets.size() - count};
    octets.remove_prefix(count);
  }
  return {
      .result = {}, .ends = reader.ends(), .rest = octets.size(), .complete = reader.wanted() == 0};
}

const std::string kSignature{"\r\n\r\n\0\r\nQUIT\n"sv};
std::string number(std::size_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
std::string binary(std::uint8_t command, std::uint8_t family, const std::string& block) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) +
         number(block.size()) + block;
}
std::string tlv(std::uint8_t type, const std::string& value) {
  return static_cast<char>(type) + number(value.size()) + value;
}
const std::string kBlock4{"\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x00\x19"sv};
const std::string kBlock6 = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"sv) +
                            std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"sv) +
                            std::string("\x10\x00\x01\xd1"sv);

std::string with_crc(const std::string& block, std::uint32_t change = 0) {
  const std::size_t at = kSignature.size() + 4 + block.size() + 3;
  std::string header = binary(0x21, 0x11, block + tlv(0x03, std::string(4, '\0')) + tlv(0x04, "x"));
  const std::uint32_t crc = crc32c(header) ^ change;
  header.replace(at, 4, number(crc >> 16) + number(crc));
  return header;
}

TEST(ProxyHeader, NamesTheClientOrNobody) {
  const struct {
    std::string header;
    std::string ends;  // empty: the peer speaks for itself
  } cases[] = {
      {"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n", "192.0.2.1:56324 198.51.100.7:25"},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
       "255.255.255.255:65535 255.255.255.255:65535"},
      {"PROXY TCP4 1.1.1.1 2.2.2.2 0 1\r\n", "1.1.1.1:0 2.2.2.2:1"},
      {"PROXY TCP6 2001:db8::1 2001:db8::2 4096 465\r\n", "[2001:db8::1]:4096 [2001:db8::2]:465"},
      {"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n", "192.0.2.1:1 [2001:db8::2]:2"},
      {"PROXY UNKNOWN\r\n", ""},
      {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       ""},
      {binary(0x21, 0x11, kBlock4), "192.0.2.1:56324 198.51.100.7:25"},
      {binary(0x21, 0x21, kBlock6), "[2001:db8::1]:4096 [2001:db8::2]:465"},
      {binary(0x21, 0x11, kBlock4 + tlv(0x02, "mx.example") + tlv(0xe0, "")),
       "192.0.2.1:56324 198.51.100.7:25"},
      {with_crc(kBlock4), "192.0.2.1:56324 198.51.100.7:25"},
      {binary(0x21, 0x31, std::string(216, '/')), ""},
      {binary(0x21, 0x00, ""), ""},
      {binary(0x21, 0x00, "whatever"), ""},
      {binary(0x20, 0x00, ""), ""},
      {binary(0x20, 0x11, "cut"), ""},  // of LOCAL nothing is looked at
      {binary(0x20, 0x77, kBlock4), ""},
      {binary(0x21, 0x00, std::string(4096, 'x')), ""},
  };
  for (const auto& one : cases) {
    for (const std::size_t piece : {1u, 2u, 7u, 65536u}) {
      const Read got = read(one.header + "EHLO client.example\r\n", piece);
      ASSERT_TRUE(got.result) << testing::PrintToString(one.header) << got.result.error().context;
      EXPECT_TRUE(got.complete);
      EXPECT_EQ(got.rest, 21u) << testing::PrintToString(one.header);
      EXPECT_EQ(got.ends ? got.ends->source.to_text() + " " + got.ends->destination.to_text() : "",
                one.ends);
    }
  }
}

TEST(ProxyHeader, WhatIsNoneIsRefused) {
  const std::string cases[] = {
      "EHLO client.example\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv),  // a TLS handshake
      "PROXY\r\nEHLO x.example\r\n",
      "PROXY TCP4\r\n12",
      "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
      "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2x\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n",
      "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 2001:db8::1 2.2.2.2 1 2\r\n",
      "PROXY TCP6 1.1.1.1 2001:db8::2 1 2\r\n",
      "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rEHLO x\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n" + std::string(100, ' '),
      "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n",  // 108 octets
      "PROXY UNKNOWN " + std::string(1000, 'x'),
      "PROXY UNKNOWNS\r\n",
      binary(0x11, 0x11, kBlock4),  // version 1 in binary
      binary(0x31, 0x11, kBlock4),
      binary(0x22, 0x11, kBlock4),
      binary(0x21, 0x12, kBlock4),  // a datagram's
      binary(0x21, 0x22, kBlock6),
      binary(0x21, 0x41, kBlock6),
      binary(0x21, 0x13, kBlock4),
      binary(0x21, 0x11, kBlock4.substr(1)),
      binary(0x21, 0x21, kBlock6.substr(1)),
      binary(0x21, 0x21, kBlock4),
      binary(0x21, 0x31, std::string(215, '/')),
      binary(0x21, 0x11, kBlock4 + "\x02"),
      binary(0x21, 0x11, kBlock4 + std::string("\x02\x00"sv)),
      binary(0x21, 0x11, kBlock4 + std::string("\x02\x00\x05only"sv)),
      binary(0x21, 0x11, kBlock4 + std::string("\x02\xff\xff"sv)),
      binary(0x21, 0x11, kBlock4 + tlv(0x03, "abc")),
      with_crc(kBlock4, 1),
      with_crc(kBlock4, 0x80000000),
      binary(0x21, 0x00, std::string(4097, 'x')),
      binary(0x20, 0x00, std::string(65535, 'x')),
      kSignature.substr(0, 11) + "\r",
  };
  for (const std::string& octets : cases) {
    for (const std::size_t piece : {1u, 65536u}) {
      const Read got = read(octets, piece);
      ASSERT_FALSE(got.result) << testing::PrintToString(octets);
      EXPECT_EQ(got.result.error().code, Errc::kInvalid);
      EXPECT_FALSE(got.ends);
    }
  }
}

TEST(ProxyHeader, IsRefusedAtTheFirstOctetThatIsNone) {
  EXPECT_EQ(read("EHLO client.example\r\n", 1).rest, 20u);
  EXPECT_EQ(read("PROXX", 1).rest, 0u);
  // Nobody waits for 65,535 octets that would be refused then.
  EXPECT_EQ(read(binary(0x20, 0x00, std::string(65535, 'x'))).rest, 65535u);
}

TEST(ProxyHeader, TheLongestLineOfTheSpecificationIsTaken) {
  const std::string longest = "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n";
  ASSERT_EQ(longest.size(), kProxyV1BytesMax);
  EXPECT_TRUE(read(longest).complete);
}

TEST(ProxyHeader, IsNotCompleteBeforeItsEnd) {
  for (const std::string& header : {std::string("PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n"),
                                    binary(0x21, 0x11, kBlock4), binary(0x20, 0x00, "")}) {
    for (std::size_t size = 0; size < header.size(); ++size) {
      const Read got = read(std::string_view(header).substr(0, size));
      EXPECT_TRUE(got.result);
      EXPECT_FALSE(got.complete) << size << " of " << header.size();
    }
  }
}

TEST(ProxyHeader, WhatIsWrittenIsThatOfTheSpecificationAndReadBack) {
  const ProxiedEnds four{*Address::from_text("192.0.2.1:56324"),
                         *Address::from_text("198.51.100.7:25")};
  EXPECT_EQ(proxy_v2_header(four), binary(0x21, 0x11, kBlock4));
  EXPECT_EQ(read(proxy_v2_header(four)).ends, four);
  const ProxiedEnds six{*Address::from_text("[2001:db8::1]:4096"),
                        *Address::from_text("[2001:db8::2]:465")};
  EXPECT_EQ(proxy_v2_header(six), binary(0x21, 0x21, kBlock6));
  EXPECT_EQ(read(proxy_v2_header(six)).ends, six);
}

}  // namespace
}  // namespace godwit::net
