#include "common/control/password.h"

#include <sodium.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

#include "common/base/check.h"

namespace godwit::control {
namespace {

constexpr std::string_view kSha256Prefix = "sha256:";
constexpr std::uint64_t kHashKibMax = 256 * 1024;
constexpr std::uint64_t kHashPassesMax = 64;

void start_sodium() {
  static const int status = sodium_init();
  CHECK(status >= 0, "libsodium does not start");
}

using Digest = std::array<unsigned char, crypto_hash_sha256_BYTES>;

Digest sha256(std::string_view text) {
  Digest digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  return digest;
}

bool equal(const Digest& a, const Digest& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

// Hashing first hides the length too.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return equal(sha256(a), sha256(b));
}

// The number behind `name` in "$argon2id$v=19$m=65536,t=2,p=1$..."; above `max` when it is not there.
std::uint64_t parameter(std::string_view hash, std::string_view name, std::uint64_t max) {
  const std::size_t at = hash.find(name);
  std::uint64_t value = max + 1;
  if (at == std::string_view::npos) return value;
  const std::string_view digits = hash.substr(at + name.size());
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// A hash in the control data decides how much memory a log-in takes; nobody may ask for all of it.
bool is_affordable(std::string_view hash) {
  return hash.size() < crypto_pwhash_STRBYTES &&
         parameter(hash, "$m=", kHashKibMax) <= kHashKibMax &&
         parameter(hash, ",t=", kHashPassesMax) <= kHashPassesMax;
}

}  // namespace

bool is_password_hash(std::string_view stored) {
  return stored.starts_with("$argon2id$") || stored.starts_with("$argon2i$");
}

bool verify_password(std::string_view stored, std::string_view presented) {
  start_sodium();
  if (!is_password_hash(stored)) return equal_in_constant_time(stored, presented);
  if (!is_affordable(stored)) return false;
  const std::string hash(stored);  // libsodium wants its NUL
  return crypto_pwhash_str_verify(hash.c_str(), presented.data(), presented.size()) == 0;
}

Result<std::string> hash_password(std::string_view password) {
  start_sodium();
  std::array<char, crypto_pwhash_STRBYTES> out{};
  const int status =
      crypto_pwhash_str(out.data(), password.data(), password.size(),
                        crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE);
  if (status != 0) return fail(std::make_error_code(std::errc::not_enough_memory), "argon2id");
  return std::string(out.data());
}

std::string hash_api_key(std::string_view key) {
  start_sodium();
  const Digest digest = sha256(key);
  std::array<char, 2 * crypto_hash_sha256_BYTES + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
  return std::string(kSha256Prefix) + hex.data();
}

bool is_api_key_hash(std::string_view stored) {
  return stored.starts_with(kSha256Prefix);
}

void waste_password_time(std::string_view presented) {
  start_sodium();
  static const std::string hash = [] {
    std::array<char, crypto_pwhash_STRBYTES> out{};
    const int status = crypto_pwhash_str(out.data(), "", 0, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                         crypto_pwhash_MEMLIMIT_INTERACTIVE);
    return status == 0 ? std::string(out.data()) : std::string();
  }();
  if (!hash.empty())
    std::ignore = crypto_pwhash_str_verify(hash.c_str(), presented.data(), presented.size());
}

bool verify_api_key(std::string_view stored, std::string_view presented) {
  start_sodium();
  if (!stored.starts_with(kSha256Prefix)) return equal_in_constant_time(stored, presented);
  const std::string_view hex = stored.substr(kSha256Prefix.size());
  Digest digest{};
  std::size_t length = 0;
  const char* end = nullptr;
  const int status =
      sodium_hex2bin(digest.data(), digest.size(), hex.data(), hex.size(), nullptr, &length, &end);
  if (status != 0 || length != digest.size() || end != hex.data() + hex.size()) return false;
  return equal(digest, sha256(presented));
}

}  // namespace godwit::control
