// The service over TLS: which certificate is somebody, and who is turned away where.

#include "common/admin/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "common/admin/client.h"
#include "common/admin/errc.h"
#include "common/admin/fake_certificates.h"
#include "common/admin/server.h"
#include "common/base/test_directory.h"

namespace godwit::admin {
namespace {

using testing::HasSubstr;

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
  EXPECT_EQ(refused.error().code, Errc::kDenied);
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
  EXPECT_EQ(refused.error().code, Errc::kDenied);
  EXPECT_THAT(refused.error().to_string(),
              HasSubstr("NodeInfo needs the role viewer, and certificate CN=eve,O=Acme has none"));
}

TEST_F(OverTls, ACertificateOfAnotherAuthorityIsTurnedAway) {
  start();
  FakeAuthority other(directory_.path(), "other");
  const auto forged = other.issue({.common_name = "ann", .organization = "Acme"});
  const auto refused = client(forged).info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnreachable) << refused.error().to_string();
  EXPECT_EQ(client(forged, "a-token-of-a-viewer").info().error().code, Errc::kUnreachable);
}

// The same name as the real one: only the signature tells.
TEST_F(OverTls, ACertificateOfAnAuthorityOfTheSameNameIsTurnedAway) {
  start();
  TestDirectory elsewhere;
  FakeAuthority twin(elsewhere.path(), "authority");
  const auto forged = twin.issue({.common_name = "ann", .organization = "Acme"});
  EXPECT_EQ(client(forged).info().error().code, Errc::kUnreachable);
}

TEST_F(OverTls, ACertificateThatHasEndedIsTurnedAway) {
  start();
  const auto old = authority_.issue(
      {.common_name = "ann", .organization = "Acme", .ends_in = std::chrono::seconds(-60)});
  const auto refused = client(old).info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnreachable) << refused.error().to_string();
}

TEST_F(OverTls, WhoShowsNothingIsNobody) {
  start();
  const auto refused = client().info();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnauthenticated);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("client certificate"));
  EXPECT_TRUE(client().serving("")) << "probes show nothing";
}

TEST_F(OverTls, ATokenIsEnoughAndAWrongOneIsRefusedBesideAGoodCertificate) {
  start();
  EXPECT_TRUE(client({}, "a-token-of-a-viewer").info());
  EXPECT_EQ(client({}, "a-token-of-a-viewer").drain(false, "test").error().code, Errc::kDenied);
  EXPECT_EQ(client({}, "a-token-of-nobody").info().error().code, Errc::kUnauthenticated);
  EXPECT_EQ(client(ops(), "a-token-of-nobody").info().error().code, Errc::kUnauthenticated);
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
  EXPECT_EQ(with({.ca = other.certificate()}).error().code, Errc::kUnreachable);
  EXPECT_TRUE(with({.ca = authority_.certificate()}));
  EXPECT_TRUE(with({.ca = authority_.certificate(), .server_name = "mta1"}));
  const auto other_name = with({.ca = authority_.certificate(), .server_name = "mta2"});
  EXPECT_EQ(other_name.error().code, Errc::kUnreachable);
  EXPECT_THAT(other_name.error().to_string(), HasSubstr(server_->address()));
}

TEST_F(OverTls, NeitherSideSpeaksInTheClear) {
  start();
  const auto clear = Client({.address = server_->address(), .token = "a-token-of-a-viewer"}).info();
  ASSERT_FALSE(clear);
  EXPECT_EQ(clear.error().code, Errc::kUnreachable);
  EXPECT_THAT(clear.error().to_string(), HasSubstr("do both speak TLS"));

  config_.tls = {};
  start();
  EXPECT_EQ(client({}, "a-token-of-a-viewer").info().error().code, Errc::kUnreachable);
}

TEST_F(OverTls, WithoutAClientAuthorityCertificatesAreNotAskedFor) {
  config_.tls.client_ca.clear();
  start();
  EXPECT_EQ(client(ops()).info().error().code, Errc::kUnauthenticated);
  EXPECT_TRUE(client(ops(), "a-token-of-a-viewer").info());
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
    EXPECT_EQ(Server::check(config_).error().code, Errc::kFile);
    const auto server = Server::start(config_, {.process = &process_});
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, Errc::kFile);
    EXPECT_THAT(server.error().to_string(), HasSubstr(directory_.path().string()));
  }
  const ClientTls clients[] = {{.ca = nowhere},
                               {.ca = text},
                               {.ca = authority_.certificate(), .certificate = text, .key = text},
                               {.ca = "", .certificate = pair.certificate, .key = pair.key}};
  for (const ClientTls& tls : clients) {
    auto asking = Client({.address = "127.0.0.1:1", .token = {}, .tls = tls});
    EXPECT_EQ(asking.info().error().code, Errc::kFile);
    EXPECT_EQ(asking.serving("").error().code, Errc::kFile);
    EXPECT_EQ(asking.audit(0, {}).error().code, Errc::kFile);
  }
}

}  // namespace
}  // namespace godwit::admin
