#include "common/admin/credentials.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "common/admin/errc.h"
#include "common/base/check.h"
#include "common/text/escape.h"

namespace godwit::admin {
namespace {

constexpr std::size_t kSubjectBytesMax = 150;

}  // namespace

Credentials::Credentials(const Grants& grants)
    : open_(grants.empty()), certificates_(grants.certificates) {
  for (const TokenGrant& grant : grants.tokens) {
    if (!grant.token.empty()) tokens_.push_back({grant.name, digest_of(grant.token), grant.role});
  }
}

// Of equal length, so that a comparison does not tell how long a token is.
Credentials::Digest Credentials::digest_of(std::string_view token) {
  Digest digest{};
  const int done =
      EVP_Digest(token.data(), token.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  CHECK(done == 1, "SHA-256 does not work");
  return digest;
}

Result<Credentials::Identity> Credentials::identify(const Shown& shown) const {
  if (open_) return Identity{"loopback", Role::kAdmin};
  if (!shown.authorization.empty()) return of_token(shown.authorization);
  if (!shown.subject.empty() || !shown.names.empty()) return of_certificate(shown);
  return fail(Errc::kUnauthenticated,
              certificates_.empty()
                  ? "needs a token, as in `authorization: Bearer TOKEN`"
                  : "needs a client certificate, or a token as in `authorization: Bearer TOKEN`");
}

Result<Credentials::Identity> Credentials::of_token(
    const std::vector<std::string_view>& authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = authorization.front();
  if (authorization.size() > 1 || !value.starts_with(kScheme))
    return fail(Errc::kUnauthenticated, "`authorization` is not one `Bearer TOKEN`");
  const Digest shown = digest_of(value.substr(kScheme.size()));
  const KnownToken* found = nullptr;
  for (const KnownToken& known : tokens_) {
    if (CRYPTO_memcmp(shown.data(), known.digest.data(), shown.size()) == 0) found = &known;
  }
  if (found == nullptr) return fail(Errc::kUnauthenticated, "the token is not known here");
  return Identity{"token " + found->name, found->role};
}

Credentials::Identity Credentials::of_certificate(const Shown& shown) const {
  const std::string_view subject = shown.subject.empty() ? shown.names.front() : shown.subject;
  Identity identity{"certificate " + text::printable(subject, kSubjectBytesMax), std::nullopt};
  for (const CertificateGrant& grant : certificates_) {
    const bool named = grant.san.empty()
                           ? !grant.subject.empty() && grant.subject == shown.subject
                           : std::ranges::find(shown.names, grant.san) != shown.names.end();
    if (named && (!identity.role || *identity.role < grant.role)) identity.role = grant.role;
  }
  return identity;
}

}  // namespace godwit::admin
