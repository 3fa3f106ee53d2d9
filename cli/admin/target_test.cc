// What a command shows of itself, and to whom.

#include "cli/admin/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <string>

#include "cli/admin/commands.h"
#include "cli/config.h"
#include "common/config/read.h"

namespace godwit::cli::admin {
namespace {

Target target_of_file(const std::string& admin) {
  Config config;
  const auto outcome = config::read_text("data_dir: /d\nadmin: {" + admin + "}\n",
                                         "/etc/godwit/godwit.yaml", config);
  EXPECT_TRUE(outcome.ok()) << outcome.to_string();
  return target_of(config);
}

class TargetTest : public testing::Test {
 protected:
  TargetTest() { unsetenv(kTokenVariable); }
  ~TargetTest() override { unsetenv(kTokenVariable); }
};

TEST_F(TargetTest, AFileIsEnough) {
  const Target plain = target_of_file("listen: '127.0.0.1:7', token: s3cret");
  EXPECT_EQ(plain.admin_address, "127.0.0.1:7");
  EXPECT_EQ(plain.token, "s3cret");
  EXPECT_FALSE(plain.tls.enabled());
  EXPECT_EQ(plain.data_dir, "/d");

  const Target guarded = target_of_file(
      "token: s3cret, tls: {certificate: a.crt, key: a.key}, ctl: {ca: ca.crt, server_name: mta1}");
  EXPECT_EQ(guarded.token, "s3cret");
  EXPECT_EQ(guarded.tls.ca, "/etc/godwit/ca.crt");
  EXPECT_EQ(guarded.tls.server_name, "mta1");
}

TEST_F(TargetTest, TheEnvironmentGoesBeforeTheFile) {
  setenv(kTokenVariable, "of-the-environment", 1);
  EXPECT_EQ(target_of_file("token: s3cret").token, "of-the-environment");
  setenv(kTokenVariable, "", 1);
  EXPECT_EQ(target_of_file("token: s3cret").token, "s3cret");
}

TEST_F(TargetTest, ACertificateIsShownInsteadOfTheTokenOfTheFile) {
  const std::string file = "token: s3cret, ctl: {ca: ca.crt, certificate: c.crt, key: c.key}";
  EXPECT_EQ(target_of_file(file).token, "");
  EXPECT_EQ(target_of_file(file).tls.certificate, "/etc/godwit/c.crt");
  setenv(kTokenVariable, "of-the-environment", 1);
  EXPECT_EQ(target_of_file(file).token, "of-the-environment");
}

TEST_F(TargetTest, HalfOfWhatIsNeededIsRefused) {
  CLI::App app;
  int status = 0;
  add_commands(app, status);
  for (const char* line : {
           "ctl info --admin 127.0.0.1:1 --tls-ca ca --tls-cert c",
           "ctl info --admin 127.0.0.1:1 --tls-ca ca --tls-key k",
           "ctl drain --admin 127.0.0.1:1",
           "ctl reload --admin 127.0.0.1:1",
           "ctl dead drop KEY --admin 127.0.0.1:1",
           "ctl dead retry KEY --admin 127.0.0.1:1",
           "ctl held failed KEY --admin 127.0.0.1:1",
           "ctl node evict NODE --admin 127.0.0.1:1",
           "ctl apply -f FILE --admin 127.0.0.1:1",
           "ctl log-level debug --admin 127.0.0.1:1",
       })
    EXPECT_THROW(app.parse(line), CLI::ParseError) << line;
}

// A certificate to show, and nobody to verify: not a word in the clear instead.
TEST_F(TargetTest, ACertificateWithoutAnAuthorityIsRefused) {
  auto client = connect({.admin_address = "127.0.0.1:1",
                         .token = "s3cret",
                         .tls = {.ca = {}, .certificate = "c.crt", .key = "c.key"},
                         .data_dir = {}});
  ASSERT_TRUE(client);
  const auto refused = client->info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, operate::Errc::kFile);
}

}  // namespace
}  // namespace godwit::cli::admin
