#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

// The address mail leaves with and bounces come back to (VERP): it names the recipient, so that a
// bounce is understood whatever it says, and it is signed, so that nobody else can make one.
namespace godwit::report {

// What an address says.
struct ReturnAddress {
  MessageId message;
  std::uint32_t index = 0;  // with the message: the recipient id
  std::uint32_t tenant_tag = 0;

  bool operator==(const ReturnAddress&) const = default;
};

// Stands for a tenant's name, which may be longer than an address. Two tenants may share one.
[[nodiscard]] std::uint32_t tenant_tag(std::string_view tenant);

// A secret that addresses are signed with.
struct ReturnKey {
  std::uint8_t id = 0;
  std::string secret;
};

inline constexpr std::size_t kReturnSecretBytesMin = 16;
inline constexpr std::size_t kReturnSecretBytes = 32;  // of a new one

// Makes return addresses and checks them.
//
// Form      "b+" and 60 characters of base32 in lower case (RFC 4648 s6), 62 in all (RFC 5321
//           s4.5.3.1.1 allows 64), of 37 octets: key id, 16 of the message id, 4 of the index,
//           4 of the tenant's tag, 12 of HMAC-SHA-256 over these and the domain
//           (docs/formats/return-address.md)
// Case      does not matter: hosts on the way change it
// Rotation  the first key signs, all of them are accepted; ids are different
// Forgery   96 bits of signature; an address is valid at its own domain only. The comparison takes
//           the same time wherever the difference is
// Threads   immutable
class ReturnKeys {
 public:
  // Lines of "ID HEX": a number 0..255 and the secret in hexadecimal. Empty lines and what begins
  // with "#" are skipped. Errors: kBadKeys.
  [[nodiscard]] static Result<ReturnKeys> parse(std::string_view file);
  // The line of a key.
  [[nodiscard]] static std::string line(const ReturnKey& key);

  // CHECKs that there is a key.
  explicit ReturnKeys(std::vector<ReturnKey> keys);

  // "b+...@domain". `domain`: as text::to_ascii_domain gives it.
  [[nodiscard]] std::string encode(const ReturnAddress& address, std::string_view domain) const;

  // Errors: kNotReturnAddress, kUnknownKey, kForged.
  [[nodiscard]] Result<ReturnAddress> decode(std::string_view local_part,
                                             std::string_view domain) const;
  // The same of a whole address, without angle brackets.
  [[nodiscard]] Result<ReturnAddress> decode(std::string_view address) const;

 private:
  std::vector<ReturnKey> keys_;
};

}  // namespace godwit::report
