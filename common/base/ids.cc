#include "common/base/ids.h"

#include <charconv>
#include <cstring>
#include <span>

namespace godwit {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kTextSize = 36;

bool dash_at(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

MessageId MessageId::generate(const Clock& clock, Random& random) {
  MessageId id;
  random.fill(std::as_writable_bytes(std::span(id.octets_)));
  const auto ms = static_cast<std::uint64_t>(to_unix_ms(clock.now()));
  for (int i = 0; i < 6; ++i) id.octets_[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
  id.octets_[6] =
      static_cast<std::uint8_t>((id.octets_[6] & 0x0f) | 0x70);  // RFC 9562 s5.7: version 7
  id.octets_[8] =
      static_cast<std::uint8_t>((id.octets_[8] & 0x3f) | 0x80);  // RFC 9562 s4.1: variant 10
  return id;
}

std::optional<MessageId> MessageId::from_text(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  MessageId id;
  std::size_t octet = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (dash_at(i)) {
      if (text[i] != '-') return std::nullopt;
      ++i;
      continue;
    }
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.octets_[octet++] = static_cast<std::uint8_t>(high << 4 | low);
    i += 2;
  }
  return id;
}

std::optional<MessageId> MessageId::from_octets(std::string_view octets) {
  MessageId id;
  if (octets.size() != id.octets_.size()) return std::nullopt;
  std::memcpy(id.octets_.data(), octets.data(), octets.size());
  return id;
}

std::string MessageId::to_text() const {
  std::string text(kTextSize, '-');
  char* at = text.data();
  for (std::size_t i = 0; i < octets_.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
    *at++ = kHex[octets_[i] >> 4];
    *at++ = kHex[octets_[i] & 0x0f];
  }
  return text;
}

Timestamp MessageId::time() const {
  std::int64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | octets_[i];
  return from_unix_ms(ms);
}

std::uint64_t MessageId::hash() const {
  // The random half is already uniform; the finaliser of SplitMix64 mixes in the rest.
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, octets_.data(), sizeof high);
  std::memcpy(&low, octets_.data() + sizeof high, sizeof low);
  std::uint64_t x = high ^ low;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

template <class Tag>
std::optional<IndexedId<Tag>> IndexedId<Tag>::from_text(std::string_view text) {
  if (text.size() < kTextSize + 2 || text[kTextSize] != '/') return std::nullopt;
  const auto message = MessageId::from_text(text.substr(0, kTextSize));
  if (!message) return std::nullopt;
  IndexedId id{*message, 0};
  const char* const end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data() + kTextSize + 1, end, id.index);
  if (error != std::errc{} || parsed_to != end) return std::nullopt;
  return id;
}

template struct IndexedId<struct RecipientIdTag>;
template struct IndexedId<struct DeliveryIdTag>;

}  // namespace godwit
