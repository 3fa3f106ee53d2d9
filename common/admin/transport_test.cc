// The service over TLS: which certificate is somebody, and who is turned away where.

#include "common/admin/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <system_error>

#include "common/admin/client.h"
#include "common/admin/errc.h"
#include "common/admin/fake_certificates.h"
#include "common/admin/server.h"
#include "common/base/test_directory.h"
#include "common/base/test_eventually.h"

namespace godwit::admin {
namespace {

using testing::HasSubstr;

// What a call was refused with; no error when it was not.
template <class T>
std::error_code refusal(const Result<T>& result) {
  return result ? std::error_code{} : result.error().code;
}

class QuietProcess final : public Process {
 public:
  NodeInfo info() override { return {.node = "mta1"}; }
  void drain(bool /*leave*/) override { drained = true; }
  Result<std::vector<std::string>> reload() override { return std::vector<std::string>{}; }
  std::string log_level() override { return "info"; }
  Result<void> set_log_level(std::string_view /*level*/) override { return {}; }

  std::atomic<bool> drained{false};
};

class OverTls : public testing::Test {
 protected:
  OverTls() {
    const auto own = authority_.issue({.common_name = "mta1", .names = "DNS:mta1,IP:127.0.0.1"});
    config_ = {
        .listen = "127.0.0.1:0",
        .grants = {.tokens = {{"look", "a-token-of-a-viewer", Role::kViewer}},
                   .certificates = {{.subject = "CN=ann,O=Acme", .san = "", .role = Role::kViewer},
                                    {.subject = "",
                                     .san = "URI:spiffe://acme.example/ops",
                                     .role = Role::kOperator}}},
        .tls = {
            .certificate = own.certificate, .key = own.key, .client_ca = authority_.certificate()}};
  }
  void start() { server_ = Server::start(config_, {.process = &process_}).value(); }

  // Somebody with the server's authority to trust, and what `files` has to show.
  [[nodiscard]] Client client(const FakeAuthority::Files& files = {},
                              std::string token = {}) const {
    return Client({.address = server_->address(),
                   .token = std::move(token),
                   .tls = {.ca = authority_.certificate(),
                           .certificate = files.certificate,
                           .key = files.key},
                   .deadline = std::chrono::seconds(20)});
  }
  FakeAuthority::Files ann() {
    return authority_.issue({.common_name = "ann", .organization = "Acme"});
  }
  FakeAuthority::Files ops() {
    return authority_.issue({.common_name = "robot", .names = "URI:spiffe://acme.example/ops"});
  }

  TestDirectory directory_;
  FakeAuthority authority_{directory_.path(), "authority"};
  QuietProcess process_;
  ServerConfig config_;
  std::unique_ptr<Server> server_;
};

TEST_F(OverTls, ACertificateHasTheRoleOfItsSubjectOrName) {
  start();
  EXPECT_EQ(client(ann()).info().value().node, "mta1");
  const auto refused = client(ann()).drain(false, "test");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refusal(refused), Errc::kDenied);
  EXPECT_THAT(refused.error().to_string(),
              HasSubstr("Drain needs the role operator, and certificate CN=ann,O=Acme has viewer"));
  EXPECT_FALSE(process_.drained);
  EXPECT_TRUE(client(ops()).drain(false, "test"));
  EXPECT_TRUE(process_.drained);
}

TEST_F(OverTls, AGoodCertificateThatNobodyKnowsHasNoRole) {
  start();
  const auto stranger = authority_.issue({.common_name = "eve", .organization = "Acme"});
  const auto refused = client(stranger).info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refusal(refused), Errc::kDenied);
  EXPECT_THAT(refused.error().to_string(),
              HasSubstr("NodeInfo needs the role viewer, and certificate CN=eve,O=Acme has none"));
}

TEST_F(OverTls, ACertificateOfAnotherAuthorityIsTurnedAway) {
  start();
  FakeAuthority other(directory_.path(), "other");
  const auto forged = other.issue({.common_name = "ann", .organization = "Acme"});
  const auto refused = client(forged).info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refusal(refused), Errc::kUnreachable) << refused.error().to_string();
  EXPECT_EQ(refusal(client(forged, "a-token-of-a-viewer").info()), Errc::kUnreachable);
}

// The same name as the real one: only the signature tells.
TEST_F(OverTls, ACertificateOfAnAuthorityOfTheSameNameIsTurnedAway) {
  start();
  TestDirectory elsewhere;
  FakeAuthority twin(elsewhere.path(), "authority");
  const auto forged = twin.issue({.common_name = "ann", .organization = "Acme"});
  EXPECT_EQ(refusal(client(forged).info()), Errc::kUnreachable);
}

TEST_F(OverTls, ACertificateThatHasEndedIsTurnedAway) {
  start();
  const auto old = authority_.issue(
      {.common_name = "ann", .organization = "Acme", .ends_in = std::chrono::seconds(-60)});
  const auto refused = client(old).info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refusal(refused), Errc::kUnreachable) << refused.error().to_string();
}

TEST_F(OverTls, WhoShowsNothingIsNobody) {
  start();
  const auto refused = client().info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refusal(refused), Errc::kUnauthenticated);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("client certificate"));
  EXPECT_TRUE(client().serving("")) << "probes show nothing";
}

TEST_F(OverTls, ATokenIsEnoughAndAWrongOneIsRefusedBesideAGoodCertificate) {
  start();
  EXPECT_TRUE(client({}, "a-token-of-a-viewer").info());
  EXPECT_EQ(refusal(client({}, "a-token-of-a-viewer").drain(false, "test")), Errc::kDenied);
  EXPECT_EQ(refusal(client({}, "a-token-of-nobody").info()), Errc::kUnauthenticated);
  EXPECT_EQ(refusal(client(ops(), "a-token-of-nobody").info()), Errc::kUnauthenticated);
}

TEST_F(OverTls, AClientTurnsAwayAServerItDoesNotKnow) {
  start();
  FakeAuthority other(directory_.path(), "other");
  const auto with = [&](ClientTls tls) {
    return Client({.address = server_->address(),
                   .token = "a-token-of-a-viewer",
                   .tls = std::move(tls),
                   .deadline = std::chrono::seconds(20)})
        .info();
  };
  EXPECT_EQ(refusal(with({.ca = other.certificate()})), Errc::kUnreachable);
  EXPECT_TRUE(with({.ca = authority_.certificate()}));
  EXPECT_TRUE(with({.ca = authority_.certificate(), .server_name = "mta1"}));
  const auto other_name = with({.ca = authority_.certificate(), .server_name = "mta2"});
  EXPECT_EQ(refusal(other_name), Errc::kUnreachable);
  EXPECT_THAT(other_name.error().to_string(), HasSubstr(server_->address()));
}

TEST_F(OverTls, NeitherSideSpeaksInTheClear) {
  start();
  const auto clear = Client({.address = server_->address(), .token = "a-token-of-a-viewer"}).info();
  ASSERT_FALSE(clear);
  EXPECT_EQ(refusal(clear), Errc::kUnreachable);
  EXPECT_THAT(clear.error().to_string(), HasSubstr("do both speak TLS"));

  config_.tls = {};
  start();
  EXPECT_EQ(refusal(client({}, "a-token-of-a-viewer").info()), Errc::kUnreachable);
}

TEST_F(OverTls, WithoutAClientAuthorityCertificatesAreNotAskedFor) {
  config_.tls.client_ca.clear();
  start();
  EXPECT_EQ(refusal(client(ops()).info()), Errc::kUnauthenticated);
  EXPECT_TRUE(client(ops(), "a-token-of-a-viewer").info());
}

// As Kubernetes does it: the files are behind a link, and the link is replaced.
TEST_F(OverTls, ARenewedCertificateIsUsedWithoutARestart) {
  const auto place = [&](const char* name, const FakeAuthority::Files& files) {
    std::filesystem::create_directory(directory_ / name);
    std::filesystem::copy_file(files.certificate, directory_ / name / "tls.crt");
    std::filesystem::copy_file(files.key, directory_ / name / "tls.key");
    std::filesystem::create_directory_symlink(name, directory_ / "new");
    std::filesystem::rename(directory_ / "new", directory_ / "mounted");
  };
  place("first", authority_.issue({.common_name = "a", .names = "DNS:first"}));
  config_.tls.certificate = directory_ / "mounted" / "tls.crt";
  config_.tls.key = directory_ / "mounted" / "tls.key";
  config_.tls.look_every = std::chrono::seconds(1);
  start();
  const auto reaches = [&](const char* name) {
    return Client({.address = server_->address(),
                   .token = "a-token-of-a-viewer",
                   .tls = {.ca = authority_.certificate(), .server_name = name},
                   .deadline = std::chrono::seconds(20)})
        .info()
        .has_value();
  };
  EXPECT_TRUE(reaches("first"));
  EXPECT_FALSE(reaches("second"));
  place("second", authority_.issue({.common_name = "b", .names = "DNS:second"}));
  EXPECT_TRUE(eventually([&] { return reaches("second"); }));
  EXPECT_FALSE(reaches("first"));
}

TEST_F(OverTls, FilesThatCannotBeUsedAreNamed) {
  const auto pair = authority_.issue({.common_name = "mta1"});
  const auto other = authority_.issue({.common_name = "mta2"});
  const auto text = directory_.path() / "text";
  std::ofstream(text) << "hello\n";
  const auto nowhere = directory_.path() / "nowhere";
  const ServerTls servers[] = {
      {.certificate = nowhere, .key = pair.key},
      {.certificate = pair.certificate, .key = nowhere},
      {.certificate = text, .key = pair.key},
      {.certificate = pair.certificate, .key = other.key},
      {.certificate = pair.certificate, .key = pair.key, .client_ca = nowhere},
      {.certificate = pair.certificate, .key = pair.key, .client_ca = text}};
  for (const ServerTls& tls : servers) {
    config_.tls = tls;
    EXPECT_EQ(refusal(Server::check(config_)), Errc::kFile);
    const auto server = Server::start(config_, {.process = &process_});
    ASSERT_FALSE(server);
    EXPECT_EQ(refusal(server), Errc::kFile);
    EXPECT_THAT(server.error().to_string(), HasSubstr(directory_.path().string()));
  }
  const ClientTls clients[] = {{.ca = nowhere},
                               {.ca = text},
                               {.ca = authority_.certificate(), .certificate = text, .key = text},
                               {.ca = "", .certificate = pair.certificate, .key = pair.key}};
  for (const ClientTls& tls : clients) {
    auto asking = Client({.address = "127.0.0.1:1", .token = {}, .tls = tls});
    EXPECT_EQ(refusal(asking.info()), Errc::kFile);
    EXPECT_EQ(refusal(asking.serving("")), Errc::kFile);
    EXPECT_EQ(refusal(asking.audit(0, {})), Errc::kFile);
  }
}

}  // namespace
}  // namespace godwit::admin
