#include "common/admin/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/admin/server.h"
#include "common/config/read.h"

namespace godwit::admin {
namespace {

using testing::HasSubstr;

constexpr const char* kTls = "tls: {certificate: a.crt, key: a.key, client_ca: ca.crt}\n";

Config read(const std::string& yaml) {
  Config config;
  const config::Outcome outcome = config::read_text(yaml, "/etc/godwit.yaml", config);
  EXPECT_TRUE(outcome.ok()) << outcome.to_string();
  return config;
}

std::string problems(const std::string& yaml) {
  Config config;
  return config::read_text(yaml, "/etc/godwit.yaml", config).to_string();
}

TEST(AdminConfig, NobodyIsNamedByDefault) {
  const Config config = read("");
  EXPECT_TRUE(config.grants().empty());
  EXPECT_FALSE(config.server().tls.enabled());
  EXPECT_FALSE(config.client_tls().enabled());
  EXPECT_EQ(config.client_token(), "");
}

TEST(AdminConfig, ThePlainTokenIsAnAdmin) {
  const Config config = read("token: s3cret\n");
  ASSERT_EQ(config.grants().tokens.size(), 1U);
  EXPECT_EQ(config.grants().tokens[0].name, "admin.token");
  EXPECT_EQ(config.grants().tokens[0].role, Role::kAdmin);
  EXPECT_EQ(config.client_token(), "s3cret");
}

TEST(AdminConfig, TokensAndCertificatesHaveRoles) {
  const Config config = read(std::string(kTls) + R"(
tokens:
  - {name: look, token: 0123456789abcdef, role: viewer}
  - {name: ops, token: 0123456789abcdeg, role: operator}
  - {name: more, token: 0123456789abcdeh, role: operator}
certificates:
  - {subject: "CN=ann,O=Acme", role: admin}
  - {san: "URI:spiffe://acme/ops", role: operator}
)");
  const Grants grants = config.grants();
  ASSERT_EQ(grants.tokens.size(), 3U);
  EXPECT_EQ(grants.tokens[1].name, "ops");
  EXPECT_EQ(grants.tokens[1].role, Role::kOperator);
  ASSERT_EQ(grants.certificates.size(), 2U);
  EXPECT_EQ(grants.certificates[0].subject, "CN=ann,O=Acme");
  EXPECT_EQ(grants.certificates[0].role, Role::kAdmin);
  EXPECT_EQ(grants.certificates[1].san, "URI:spiffe://acme/ops");
  EXPECT_EQ(config.client_token(), "0123456789abcdeg") << "the first of the strongest role";
  EXPECT_EQ(config.server().tls.client_ca, "/etc/ca.crt");
  EXPECT_EQ(config.client_tls().ca, "/etc/ca.crt") << "the one authority there is";
}

TEST(AdminConfig, ACertificateIsShownInsteadOfAToken) {
  const Config config =
      read(std::string(kTls) +
           "token: s3cret\n"
           "ctl: {ca: own.crt, certificate: c.crt, key: c.key, server_name: mta}\n");
  EXPECT_EQ(config.client_token(), "");
  EXPECT_EQ(config.client_tls().ca, "/etc/own.crt");
  EXPECT_EQ(config.client_tls().certificate, "/etc/c.crt");
  EXPECT_EQ(config.client_tls().key, "/etc/c.key");
  EXPECT_EQ(config.client_tls().server_name, "mta");
}

TEST(AdminConfig, WhatIsWrongIsSaidWithItsPlace) {
  struct Case {
    std::string yaml;
    const char* key;
    const char* what;
  };
  const Case cases[] = {
      {"tokens: [{name: a, token: 0123456789abcdef}]", "tokens[0].role", "is missing"},
      {"tokens: [{name: a, role: viewer}]", "tokens[0].token", "is missing"},
      {"tokens: [{token: 0123456789abcdef, role: viewer}]", "tokens[0].name", "is missing"},
      {"tokens: [{name: a b, token: 0123456789abcdef, role: viewer}]", "tokens[0].name",
       "is no name"},
      {"tokens: [{name: a, token: 0123456789abcde, role: viewer}]", "tokens[0].token", "is short"},
      {"tokens: [{name: a, token: 0123456789abcdef, role: root}]", "tokens[0].role", "root"},
      {"tokens: [{name: a, token: 0123456789abcdef, role: viewer}, {name: a, token: "
       "0123456789abcdeg, role: viewer}]",
       "tokens", "two of the name a"},
      {"tokens: [{name: a, token: 0123456789abcdef, role: viewer}, {name: b, token: "
       "0123456789abcdef, role: admin}]",
       "tokens", "the token of b twice"},
      {std::string(kTls) + "certificates: [{subject: CN=a}]", "certificates[0].role", "is missing"},
      {std::string(kTls) + "certificates: [{role: admin}]", "certificates[0].subject", "alone"},
      {std::string(kTls) + "certificates: [{subject: CN=a, san: 'DNS:a', role: admin}]",
       "certificates[0].subject", "alone"},
      {std::string(kTls) + "certificates: [{san: spiffe://a, role: admin}]", "certificates[0].san",
       "names no kind"},
      {std::string(kTls) + "certificates: [{san: 'DNS:', role: admin}]", "certificates[0].san",
       "names no kind"},
      {"certificates: [{subject: CN=a, role: admin}]", "certificates", "cannot be told apart"},
      {"tls: {certificate: a.crt}", "tls.certificate", "half a pair"},
      {"tls: {client_ca: ca.crt}", "tls.client_ca", "has no TLS"},
      {"tls: {certificate: a.crt, key: a.key}", "ctl.ca", "is missing"},
      {"ctl: {ca: ca.crt, key: a.key}", "ctl.certificate", "half a pair"},
      {"ctl: {certificate: a.crt, key: a.key}", "ctl.ca", "is missing"},
  };
  for (const Case& one : cases) {
    const std::string said = problems(one.yaml);
    EXPECT_THAT(said, HasSubstr(one.key)) << one.yaml;
    EXPECT_THAT(said, HasSubstr(one.what)) << one.yaml;
    EXPECT_THAT(said, testing::Not(HasSubstr("0123456789"))) << "no secret in errors";
  }
}

}  // namespace
}  // namespace godwit::admin
