#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/admin/access.h"
#include "common/base/result.h"

namespace godwit::admin {

// Who shows this token has this role.
struct TokenGrant {
  std::string name;   // for the audit: "ops"
  std::string token;  // a secret
  Role role = Role::kViewer;
};

// Who has a certificate of admin.tls.client_ca with this subject or this name has this role. One of the two is set.
struct CertificateGrant {
  std::string subject;  // as RFC 2253 writes it: "CN=ann,O=Acme"
  std::string
      san;  // "URI:spiffe://acme.example/ops", "DNS:ops.acme.example", "email:ann@acme.example"
  Role role = Role::kViewer;
};

struct Grants {
  std::vector<TokenGrant> tokens;
  std::vector<CertificateGrant> certificates;

  [[nodiscard]] bool empty() const { return tokens.empty() && certificates.empty(); }
};

// What a call shows of who makes it.
struct Shown {
  std::vector<std::string_view> authorization;  // each value of that metadata
  // Of a certificate that the TLS handshake has found good; no subject and no names: there is none.
  std::string subject;
  std::vector<std::string> names;  // as CertificateGrant::san
};

// Tells who makes a call.
//
// What is shown has to be right: a wrong token is refused, whatever else is shown with it. A right one goes before a
// certificate; of a certificate that has several grants the strongest counts. A good certificate without a grant is
// somebody, with no role. With no grants at all everybody is "loopback", with all rights: the server then listens on a
// loopback address only.
// Threads  any
// Safety   keeps digests of tokens only, compares with all of them and in constant time; no token is in an error
// Source   RFC 6750 s2.1 (the form of `authorization`)
class Credentials {
 public:
  explicit Credentials(const Grants& grants);

  struct Identity {
    std::string name;  // "token ops", "certificate CN=ann,O=Acme", "loopback"
    std::optional<Role> role;
  };
  // Errors: kUnauthenticated.
  [[nodiscard]] Result<Identity> identify(const Shown& shown) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  struct KnownToken {
    std::string name;
    Digest digest;
    Role role;
  };
  static Digest digest_of(std::string_view token);
  [[nodiscard]] Result<Identity> of_token(const std::vector<std::string_view>& authorization) const;
  [[nodiscard]] Identity of_certificate(const Shown& shown) const;

  const bool open_;  // to everybody
  std::vector<KnownToken> tokens_;
  std::vector<CertificateGrant> certificates_;
};

}  // namespace godwit::admin
