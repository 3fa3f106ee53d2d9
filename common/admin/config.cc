#include "common/admin/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "common/admin/server.h"

namespace godwit::admin {
namespace {

using config::Wrong;

constexpr std::chrono::seconds kLookEvery{5};  // for certificates that were renewed

std::optional<Wrong> token_is_weak(const std::string& token) {
  if (token.size() >= Config::kTokenBytesMin) return std::nullopt;
  return Wrong{"is short",
               fmt::format("{} characters at least, as `openssl rand -hex 16` makes them",
                           Config::kTokenBytesMin)};
}

std::optional<Wrong> name_is_odd(const std::string& name) {
  const auto odd = [](char c) { return c < '!' || c > '~'; };
  if (!name.empty() && name.size() <= 64 && std::ranges::none_of(name, odd)) return std::nullopt;
  return Wrong{"is no name", "1 to 64 printable characters, no blanks"};
}

std::optional<Wrong> san_is_odd(const std::string& san) {
  for (const std::string_view kind : {"URI:", "DNS:", "email:"}) {
    if (san.size() > kind.size() && san.starts_with(kind)) return std::nullopt;
  }
  return Wrong{"names no kind", "URI:..., DNS:... or email:..."};
}

std::optional<Wrong> tokens_are_alike(const std::vector<TokenConfig>& tokens) {
  std::set<std::string> names;
  std::set<std::string> secrets;
  for (const TokenConfig& token : tokens) {
    if (!names.insert(token.name).second)
      return Wrong{fmt::format("has two of the name {}", token.name), "each a name of its own"};
    if (!secrets.insert(token.token).second)
      return Wrong{fmt::format("has the token of {} twice", token.name), "each a token of its own"};
  }
  return std::nullopt;
}

std::optional<Wrong> half_a_pair(const std::filesystem::path& certificate,
                                 const std::filesystem::path& key) {
  if (certificate.empty() == key.empty()) return std::nullopt;
  return Wrong{"is half a pair", "certificate and key, or neither"};
}

}  // namespace

void describe(config::Fields& fields, TokenConfig& token) {
  fields.add("name", token.name, "Who that is, for the audit.")
      .check(name_is_odd)
      .require()
      .restart();
  fields.add("token", token.token, "What that one's client must present.")
      .check(token_is_weak)
      .hide()
      .require()
      .restart();
  fields
      .add("role", token.role,
           "viewer looks, operator acts on mail and processes, admin changes control data.")
      .require()
      .restart();
}

void describe(config::Fields& fields, CertificateConfig& certificate) {
  fields
      .add("subject", certificate.subject,
           "The whole subject of the certificate, as RFC 2253 writes it: CN=ann,O=Acme.")
      .restart();
  fields
      .add("san", certificate.san,
           "One of its names with its kind: URI:spiffe://..., DNS:..., email:...; instead of "
           "subject.")
      .check(san_is_odd)
      .restart();
  fields.add("role", certificate.role, "As of a token.").require().restart();
  fields.rule("subject", [&certificate]() -> std::optional<Wrong> {
    if (certificate.subject.empty() != certificate.san.empty()) return std::nullopt;
    return Wrong{"is not alone", "one of subject and san"};
  });
}

void describe(config::Fields& fields, TlsConfig& tls) {
  fields
      .add("certificate", tls.certificate,
           "The service's chain, PEM, its own first; with it everything is TLS. Read again every 5 "
           "seconds.")
      .restart();
  fields.add("key", tls.key, "Its key, PEM.").restart();
  fields
      .add("client_ca", tls.client_ca,
           "Who issues the certificates of clients, PEM; empty: clients have tokens.")
      .restart();
  fields.rule("certificate", [&tls] { return half_a_pair(tls.certificate, tls.key); });
  fields.rule("client_ca", [&tls]() -> std::optional<Wrong> {
    if (tls.client_ca.empty() || !tls.certificate.empty()) return std::nullopt;
    return Wrong{"has no TLS to serve", "admin.tls.certificate and key as well"};
  });
}

void describe(config::Fields& fields, CtlConfig& ctl) {
  fields.add("ca", ctl.ca,
             "Who issued the service's certificate, PEM; empty: admin.tls.client_ca.");
  fields.add("certificate", ctl.certificate,
             "What commands show instead of a token, PEM; empty: they show a token.");
  fields.add("key", ctl.key, "Its key, PEM.");
  fields.add("server_name", ctl.server_name,
             "The name in the service's certificate; empty: the host or address that is asked.");
  fields.rule("certificate", [&ctl] { return half_a_pair(ctl.certificate, ctl.key); });
}

void describe(config::Fields& fields, Config& admin) {
  fields
      .add("listen", admin.listen,
           "Where `godwit ctl` and its like are served; a loopback address only, unless there are "
           "tokens or certificates.")
      .restart();
  fields.add("token", admin.token, "A token of the role admin, when one is enough.")
      .hide()
      .restart();
  fields.add("tokens", admin.tokens, "Tokens with a name and a role.").restart();
  fields.add("certificates", admin.certificates, "Client certificates and their roles.").restart();
  fields.add("tls", admin.tls, "TLS of the service.");
  fields.add("ctl", admin.ctl,
             "How commands with this file, and processes of the cluster, ask such a service.");
  fields.rule("tokens", [&admin] { return tokens_are_alike(admin.tokens); });
  fields.rule("certificates", [&admin]() -> std::optional<Wrong> {
    if (admin.certificates.empty() || !admin.tls.client_ca.empty()) return std::nullopt;
    return Wrong{"cannot be told apart", "admin.tls.client_ca, which issued them"};
  });
  fields.rule("ctl.ca", [&admin]() -> std::optional<Wrong> {
    const bool needed = !admin.tls.certificate.empty() || !admin.ctl.certificate.empty();
    if (!needed || !admin.client_tls().ca.empty()) return std::nullopt;
    return Wrong{"is missing", "who issued the service's certificate: commands verify it"};
  });
}

Grants Config::grants() const {
  Grants out;
  if (!token.empty()) out.tokens.push_back({"admin.token", token, Role::kAdmin});
  for (const TokenConfig& one : tokens) out.tokens.push_back({one.name, one.token, one.role});
  for (const CertificateConfig& one : certificates)
    out.certificates.push_back({one.subject, one.san, one.role});
  return out;
}

ServerConfig Config::server() const {
  return {.listen = listen.to_text(),
          .grants = grants(),
          .tls = {.certificate = tls.certificate,
                  .key = tls.key,
                  .client_ca = tls.client_ca,
                  .look_every = kLookEvery}};
}

ClientTls Config::client_tls() const {
  if (tls.certificate.empty() && ctl.ca.empty()) return {};
  return {.ca = ctl.ca.empty() ? tls.client_ca : ctl.ca,
          .certificate = ctl.certificate,
          .key = ctl.key,
          .server_name = ctl.server_name};
}

std::string Config::client_token() const {
  if (!ctl.certificate.empty()) return {};
  if (!token.empty()) return token;
  const auto strongest = std::ranges::max_element(tokens, {}, &TokenConfig::role);
  return strongest == tokens.end() ? std::string() : strongest->token;
}

}  // namespace godwit::admin
