#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "common/admin/access.h"
#include "common/admin/credentials.h"
#include "common/admin/transport.h"
#include "common/config/fields.h"

// `admin:` of the configuration file: where a process is asked, by whom, and how its own commands ask. docs/admin.md.
namespace godwit::admin {

struct ServerConfig;

constexpr auto config_names(Role) {
  return std::to_array<config::EnumName<Role>>(
      {{"viewer", Role::kViewer}, {"operator", Role::kOperator}, {"admin", Role::kAdmin}});
}

struct TokenConfig {
  std::string name;
  std::string token;
  Role role = Role::kViewer;
};

struct CertificateConfig {
  std::string subject;
  std::string san;
  Role role = Role::kViewer;
};

struct TlsConfig {
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path client_ca;
};

struct CtlConfig {
  std::filesystem::path ca;  // empty: tls.client_ca
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::string server_name;
};

struct Config {
  // Of a named token: shorter ones can be guessed.
  static constexpr std::size_t kTokenBytesMin = 16;

  config::HostPort listen{"127.0.0.1", 8026};
  std::string token;
  std::vector<TokenConfig> tokens;
  std::vector<CertificateConfig> certificates;
  TlsConfig tls;
  CtlConfig ctl;

  // Who may ask; `token` is one with all rights, of the name "admin.token".
  [[nodiscard]] Grants grants() const;
  [[nodiscard]] ServerConfig server() const;
  // What a command that was given this file, and a process of the same configuration, asks with. The token is `token`,
  // else the first of the strongest role; none where there is a certificate to show.
  [[nodiscard]] ClientTls client_tls() const;
  [[nodiscard]] std::string client_token() const;
};
void describe(config::Fields& fields, TokenConfig& token);
void describe(config::Fields& fields, CertificateConfig& certificate);
void describe(config::Fields& fields, TlsConfig& tls);
void describe(config::Fields& fields, CtlConfig& ctl);
void describe(config::Fields& fields, Config& admin);

}  // namespace godwit::admin
