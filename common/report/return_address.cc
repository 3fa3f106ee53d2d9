#include "common/report/return_address.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <span>

#include "common/base/check.h"
#include "common/report/errc.h"
#include "common/text/idna.h"

namespace godwit::report {
namespace {

constexpr std::string_view kPrefix = "b+";
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kPurpose = "godwit return address 1";  // no key signs for two things
constexpr std::size_t kMessageAt = 1;
constexpr std::size_t kIndexAt = 17;
constexpr std::size_t kTagAt = 21;
constexpr std::size_t kSignedBytes = 25;
constexpr std::size_t kMacBytes = 12;
constexpr std::size_t kTokenBytes = kSignedBytes + kMacBytes;
constexpr std::size_t kTokenChars = (kTokenBytes * 8 + 4) / 5;
static_assert(kPrefix.size() + kTokenChars <= 64, "RFC 5321 s4.5.3.1.1");

using Token = std::array<unsigned char, kTokenBytes>;

void put_u32(std::span<unsigned char> out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i)
    out[static_cast<std::size_t>(i)] = static_cast<unsigned char>(value >> (24 - 8 * i));
}

std::uint32_t get_u32(std::span<const unsigned char> in) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | in[i];
  return value;
}

std::string base32(const Token& token) {
  std::string out;
  out.reserve(kTokenChars);
  std::uint32_t bits = 0;
  int count = 0;
  for (const unsigned char octet : token) {
    bits = bits << 8 | octet;
    for (count += 8; count >= 5; count -= 5) out += kAlphabet[bits >> (count - 5) & 31];
  }
  if (count > 0) out += kAlphabet[bits << (5 - count) & 31];
  return out;
}

std::optional<Token> from_base32(std::string_view text) {
  if (text.size() != kTokenChars) return std::nullopt;
  Token token{};
  std::size_t at = 0;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    count += 5;
    if (count < 8) continue;
    count -= 8;
    token[at++] = static_cast<unsigned char>(bits >> count);
  }
  // What is left over is zero: one address has one form.
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return token;
}

std::array<unsigned char, crypto_auth_hmacsha256_BYTES> sign(const ReturnKey& key,
                                                             const Token& token,
                                                             std::string_view domain) {
  const auto octets = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, octets(key.secret), key.secret.size());
  // The zero octets keep the parts apart: no domain has one.
  crypto_auth_hmacsha256_update(&state, octets(kPurpose), kPurpose.size() + 1);
  crypto_auth_hmacsha256_update(&state, octets(domain), domain.size());
  constexpr unsigned char kZero = 0;
  crypto_auth_hmacsha256_update(&state, &kZero, 1);
  crypto_auth_hmacsha256_update(&state, token.data(), kSignedBytes);
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac{};
  crypto_auth_hmacsha256_final(&state, mac.data());
  return mac;
}

Result<ReturnKey> parse_line(std::string_view line) {
  ReturnKey key;
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return fail(Errc::kBadKeys, "a line without a space");
  const auto [end, error] = std::from_chars(line.data(), line.data() + space, key.id);
  if (error != std::errc{} || end != line.data() + space)
    return fail(Errc::kBadKeys, "the id of a key is a number up to 255");
  std::string_view hex = line.substr(space + 1);
  while (hex.ends_with(' ') || hex.ends_with('\r')) hex.remove_suffix(1);
  key.secret.resize(hex.size() / 2);
  std::size_t length = 0;
  const char* hex_end = nullptr;
  if (sodium_hex2bin(reinterpret_cast<unsigned char*>(key.secret.data()), key.secret.size(),
                     hex.data(), hex.size(), nullptr, &length, &hex_end) != 0 ||
      hex_end != hex.data() + hex.size()) {
    return fail(Errc::kBadKeys, "a secret is in hexadecimal");
  }
  if (length < kReturnSecretBytesMin)
    return fail(Errc::kBadKeys, "a secret has 16 octets at least");
  return key;
}

}  // namespace

std::uint32_t tenant_tag(std::string_view tenant) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(tenant.data()),
                     tenant.size());
  return get_u32(hash);
}

Result<ReturnKeys> ReturnKeys::parse(std::string_view file) {
  std::vector<ReturnKey> keys;
  std::set<std::uint8_t> ids;
  std::size_t number = 0;
  while (!file.empty()) {
    const std::size_t end = std::min(file.find('\n'), file.size());
    const std::string_view line = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    ++number;
    if (line.find_first_not_of(" \r") == std::string_view::npos || line.starts_with('#')) continue;
    auto key = parse_line(line);
    if (!key) return fail(std::move(key).error().within("line " + std::to_string(number)));
    if (!ids.insert(key->id).second)
      return fail(Errc::kBadKeys, "line " + std::to_string(number) + ": the id is there twice");
    keys.push_back(*std::move(key));
  }
  if (keys.empty()) return fail(Errc::kBadKeys, "no key in it");
  return ReturnKeys(std::move(keys));
}

std::string ReturnKeys::line(const ReturnKey& key) {
  std::string hex(key.secret.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(key.secret.data()),
                 key.secret.size());
  hex.pop_back();
  return std::to_string(key.id) + " " + hex + "\n";
}

ReturnKeys::ReturnKeys(std::vector<ReturnKey> keys) : keys_(std::move(keys)) {
  CHECK(!keys_.empty(), "return addresses need a key");
}

std::string ReturnKeys::encode(const ReturnAddress& address, std::string_view domain) const {
  const ReturnKey& key = keys_.front();
  Token token{};
  token[0] = key.id;
  const std::string_view id = address.message.octets();
  std::ranges::copy(id, token.begin() + kMessageAt);
  put_u32(std::span(token).subspan(kIndexAt), address.index);
  put_u32(std::span(token).subspan(kTagAt), address.tenant_tag);
  const auto mac = sign(key, token, domain);
  std::copy_n(mac.begin(), kMacBytes, token.begin() + kSignedBytes);
  return std::string(kPrefix) + base32(token) + "@" + std::string(domain);
}

Result<ReturnAddress> ReturnKeys::decode(std::string_view local_part,
                                         std::string_view domain) const {
  const std::string local = text::to_lower(local_part.substr(0, 65));
  if (!local.starts_with(kPrefix)) return fail(Errc::kNotReturnAddress);
  const auto token = from_base32(std::string_view(local).substr(kPrefix.size()));
  if (!token) return fail(Errc::kNotReturnAddress);
  const auto key = std::ranges::find(keys_, (*token)[0], &ReturnKey::id);
  if (key == keys_.end()) return fail(Errc::kUnknownKey);
  const auto mac = sign(*key, *token, text::to_ascii_domain(domain).value_or(std::string{}));
  if (sodium_memcmp(mac.data(), token->data() + kSignedBytes, kMacBytes) != 0)
    return fail(Errc::kForged);
  const std::string_view id(reinterpret_cast<const char*>(token->data()) + kMessageAt, 16);
  return ReturnAddress{.message = MessageId::from_octets(id).value_or(MessageId{}),
                       .index = get_u32(std::span(*token).subspan(kIndexAt)),
                       .tenant_tag = get_u32(std::span(*token).subspan(kTagAt))};
}

Result<ReturnAddress> ReturnKeys::decode(std::string_view address) const {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return fail(Errc::kNotReturnAddress);
  return decode(address.substr(0, at), address.substr(at + 1));
}

}  // namespace godwit::report
