#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "common/smtp/reply.h"

// AUTH PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), the server's and the client's
// messages.
namespace godwit::smtp {

enum class Mechanism : std::uint8_t { kPlain, kLogin };

struct Credentials {
  Mechanism mechanism = Mechanism::kPlain;
  std::string authorization;  // PLAIN's authzid; empty: the same as username
  std::string username;
  std::string password;
};

// Overwrites the password before it lets go of it.
void wipe(Credentials& credentials);

// One AUTH exchange, the server's side.
//
// Input     the argument of AUTH, then lines of the peer
// Output    a 334 to send, or credentials, or the refusing reply
// Errors    501 5.5.2 (not base64, wrong parts), 501 5.7.0 (cancelled by "*"), 504 5.5.4
//           (mechanism)
// Limits    user name and password 255 octets each (RFC 4616 s2)
// Source    RFC 4954 s4
class AuthExchange {
 public:
  enum class Step : std::uint8_t { kChallenge, kDone };
  // "PLAIN", "PLAIN <initial response>", "LOGIN", ... "=" is an empty initial response.
  [[nodiscard]] std::expected<Step, Reply> begin(std::string_view argument);
  // One line without CRLF.
  [[nodiscard]] std::expected<Step, Reply> line(std::string_view line);

  // After kChallenge: what follows "334 ".
  [[nodiscard]] std::string_view challenge() const;
  // After kDone.
  [[nodiscard]] Credentials take_credentials();

 private:
  [[nodiscard]] std::expected<Step, Reply> response(std::string_view octets);
  [[nodiscard]] std::expected<Step, Reply> decoded(std::string_view base64);

  Credentials credentials_;
  bool have_username_ = false;
};

// Client: the decoded-then-encoded first response of PLAIN.
[[nodiscard]] std::string plain_response(const Credentials& credentials);

}  // namespace godwit::smtp
