#include "common/admin/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/admin/errc.h"

namespace godwit::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kSubject = "CN=ann,O=Acme";

Grants some() {
  return {.tokens = {{"look", "viewer-token-0123456789", Role::kViewer},
                     {"ops", "operator-token-0123456789", Role::kOperator}},
          .certificates = {{.subject = kSubject, .san = "", .role = Role::kViewer},
                           {.subject = "", .san = "URI:spiffe://acme/ops", .role = Role::kOperator},
                           {.subject = "", .san = "DNS:root.acme.example", .role = Role::kAdmin}}};
}

TEST(Credentials, WithoutGrantsEverybodyIsAnAdmin) {
  const Credentials open(Grants{});
  const auto anybody = open.identify({});
  ASSERT_TRUE(anybody);
  EXPECT_EQ(anybody->name, "loopback");
  EXPECT_EQ(anybody->role, Role::kAdmin);
}

TEST(Credentials, ATokenHasARole) {
  const Credentials known(some());
  const auto look = known.identify({.authorization = {"Bearer viewer-token-0123456789"}});
  ASSERT_TRUE(look) << look.error().to_string();
  EXPECT_EQ(look->name, "token look");
  EXPECT_EQ(look->role, Role::kViewer);
  EXPECT_EQ(known.identify({.authorization = {"Bearer operator-token-0123456789"}})->role,
            Role::kOperator);
}

TEST(Credentials, AWrongTokenIsNobodyAndIsNotRepeated) {
  const Credentials known(some());
  const std::vector<std::vector<std::string_view>> wrong{
      {},
      {""},
      {"Bearer"},
      {"Bearer "},
      {"Bearer viewer-token-012345678"},
      {"Bearer viewer-token-01234567890"},
      {"Bearer Viewer-token-0123456789"},
      {"Bearer  viewer-token-0123456789"},
      {"bearer viewer-token-0123456789"},
      {"viewer-token-0123456789"},
      {"Basic viewer-token-0123456789"},
      {"Bearer viewer-token-0123456789", "Bearer viewer-token-0123456789"}};
  for (const auto& values : wrong) {
    const auto nobody = known.identify({.authorization = values});
    ASSERT_FALSE(nobody) << testing::PrintToString(values);
    EXPECT_EQ(nobody.error().code, Errc::kUnauthenticated);
    EXPECT_THAT(nobody.error().to_string(), Not(HasSubstr("token-01")));
  }
}

TEST(Credentials, AnEmptyTokenIsNoneEvenWhenOneIsGranted) {
  const Credentials careless({.tokens = {{"empty", "", Role::kAdmin}}});
  EXPECT_FALSE(careless.identify({.authorization = {"Bearer "}}));
  EXPECT_FALSE(careless.identify({}));
}

TEST(Credentials, ACertificateHasTheStrongestRoleOfItsNames) {
  const Credentials known(some());
  const auto role = [&](std::string subject, std::vector<std::string> names) {
    return known.identify(
        {.authorization = {}, .subject = std::move(subject), .names = std::move(names)});
  };
  EXPECT_EQ(role(kSubject, {})->name, "certificate CN=ann,O=Acme");
  EXPECT_EQ(role(kSubject, {})->role, Role::kViewer);
  EXPECT_EQ(role(kSubject, {"URI:spiffe://acme/ops"})->role, Role::kOperator);
  EXPECT_EQ(role("", {"DNS:x", "DNS:root.acme.example"})->role, Role::kAdmin);
  EXPECT_EQ(role("", {"DNS:x"})->name, "certificate DNS:x");
}

TEST(Credentials, ACertificateWithoutAGrantHasNoRole) {
  const Credentials known(some());
  for (const char* subject : {"CN=ann", "CN=ann,O=Acme,C=DE", "O=Acme,CN=ann", "cn=ann,o=acme"}) {
    const auto found = known.identify({.authorization = {}, .subject = subject});
    ASSERT_TRUE(found) << subject;
    EXPECT_EQ(found->role, std::nullopt) << subject;
  }
  // The kind of a name counts: a DNS name that reads like an address of mail is none.
  const auto other =
      known.identify({.authorization = {}, .subject = "CN=x", .names = {"DNS:spiffe://acme/ops"}});
  EXPECT_EQ(other->role, std::nullopt);
}

TEST(Credentials, ATokenGoesBeforeACertificate) {
  const Credentials known(some());
  const auto both = known.identify({.authorization = {"Bearer viewer-token-0123456789"},
                                    .subject = "CN=x",
                                    .names = {"DNS:root.acme.example"}});
  EXPECT_EQ(both->role, Role::kViewer);
  EXPECT_FALSE(known.identify(
      {.authorization = {"Bearer wrong"}, .subject = "CN=x", .names = {"DNS:root.acme.example"}}));
}

}  // namespace
}  // namespace godwit::admin
