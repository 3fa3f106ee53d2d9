// Mail of authenticated users.
#include "ingress/test_role.h"

namespace godwit::ingress {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::IngressTest;
using ::testing::StartsWith;
using testing::tenants;
using testing::TestClient;

TEST_F(IngressTest, SubmissionNeedsALogin) {
  config.limits.auth_failures_max = 10;
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  // On loopback, also in the clear.
  EXPECT_THAT(client.ask("EHLO client.example"), HasSubstr("AUTH PLAIN LOGIN"));
  EXPECT_EQ(client.ask("MAIL FROM:<a@acme.example>"), "530 5.7.0 Authentication required");
  const auto login = [&](const std::string& user, const std::string& password,
                         const std::string& as = {}) { return log_in(client, user, password, as); };
  const std::string invalid = "535 5.7.8 Authentication credentials invalid";
  EXPECT_EQ(login("ann", "wrong"), invalid);
  EXPECT_EQ(login("nobody", "secret"), invalid);
  EXPECT_EQ(login("ann", ""), invalid);
  EXPECT_EQ(login("ann", "secret", "fred"), invalid);
  EXPECT_EQ(client.ask("MAIL FROM:<a@acme.example>"), "530 5.7.0 Authentication required");
  EXPECT_EQ(login("ann", "secret"), "235 2.7.0 Authentication successful");

  // Senders of the tenant's verified domains only.
  EXPECT_THAT(client.ask("MAIL FROM:<a@other.example>"), StartsWith("550 5.7.1 "));
  EXPECT_THAT(client.ask("MAIL FROM:<a@unverified.example>"), StartsWith("550 5.7.1 "));
  EXPECT_THAT(send_message(client, "From: a@other.example\r\n\r\nx\r\n", "a@acme.example"),
              StartsWith("550 5.7.1 "));
  EXPECT_THAT(send_message(client, "Subject: x\r\n\r\nx\r\n", "a@acme.example"),
              StartsWith("550 5.7.1 "));
  EXPECT_TRUE(messages().empty());

  EXPECT_THAT(send_message(client, "From: a@acme.example\r\n\r\nx\r\n", "v@bounce.acme.example"),
              StartsWith("250 2.0.0 "));
  const auto kept = messages();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].head.tenant(), "acme");
  EXPECT_EQ(kept[0].head.origin().username(), "ann");
  EXPECT_EQ(kept[0].head.origin().protocol(), "ESMTPA");
  const std::string content = kept[0].data.to_string();
  EXPECT_THAT(content,
              HasSubstr("\r\nMessage-ID: <" + kept[0].message_id().to_text() + "@mx.example>\r\n"));
  EXPECT_THAT(content, HasSubstr("\r\nDate: "));

  // A login that is revoked ends the session at the next message.
  control::Snapshot without = tenants();
  without.tenants["acme"].credentials.clear();
  control.set(std::move(without));
  EXPECT_THAT(client.ask("MAIL FROM:<a@acme.example>"), StartsWith("421 4.7.0 "));
  EXPECT_TRUE(client.closed());
}

TEST_F(IngressTest, SubmissionKeepsTheClientsFields) {
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  client.ask("EHLO client.example");
  EXPECT_THAT(log_in(client, "fred", "hunter2"), StartsWith("235 "));
  const std::string mail =
      "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@client.example>\r\nFrom: "
      "any@where.example\r\n\r\nx\r\n";
  EXPECT_THAT(send_message(client, mail, "any@where.example"), StartsWith("250 "));
  const std::string content = messages().at(0).data.to_string();
  EXPECT_EQ(content.find("Message-ID:"), content.rfind("Message-ID:"));
  EXPECT_EQ(content.find("Date:"), content.rfind("Date:"));
}

TEST_F(IngressTest, HashedPasswordsAndFailureLimits) {
  control::Snapshot snapshot = tenants();
  snapshot.tenants["acme"].credentials = {{"ann", password_hash("secret")}};
  control.set(std::move(snapshot));
  config.budgets.auth_failures_per_account_max = 1;
  config.budgets.auth_failures_per_address_max = 3;
  config.limits.auth_failures_max = 10;
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  client.ask("EHLO client.example");
  const auto login = [&](const std::string& user, const std::string& password) {
    return log_in(client, user, password);
  };
  EXPECT_THAT(login("ann", "wrong"), StartsWith("535 "));
  EXPECT_THAT(login("ann", "secret"), StartsWith("454 4.7.0 "));  // of the account
  EXPECT_THAT(login("x", "x"), StartsWith("535 "));
  EXPECT_THAT(login("y", "y"), StartsWith("535 "));
  EXPECT_THAT(login("fred", "hunter2"), StartsWith("421 4.7.0 "));  // of the address
  EXPECT_TRUE(client.closed());
}

TEST_F(IngressTest, HashedPasswordIsAccepted) {
  control::Snapshot snapshot = tenants();
  snapshot.tenants["acme"].credentials = {{"ann", password_hash("secret")}};
  control.set(std::move(snapshot));
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  client.ask("EHLO client.example");
  EXPECT_THAT(log_in(client, "ann", "secret"), StartsWith("235 "));
}

}  // namespace
}  // namespace godwit::ingress
