#include "ingress/policy.h"

#include <gtest/gtest.h>

namespace godwit::ingress {
namespace {

control::Tenant tenant() {
  return {
      .name = TenantName("acme"),
      .domains = {{.name = "acme.example", .verified = true, .return_path = "bounce.acme.example"},
                  {.name = "new.example", .return_path = "bounce.new.example"},
                  {.name = "xn--bcher-kva.example", .verified = true}}};
}

smtp::Address address(std::string_view text) {
  return *smtp::Address::parse(text, {.utf8 = true, .bare_postmaster = true});
}

TEST(Policy, Senders) {
  for (const char* good : {"a@acme.example", "a@ACME.example", "v@bounce.acme.example",
                           "a@b\xC3\xBC"
                           "cher.example"}) {
    EXPECT_FALSE(refuse_sender(tenant(), address(good))) << good;
  }
  for (const char* bad : {"a@new.example", "a@bounce.new.example", "a@sub.acme.example",
                          "a@example", "a@[192.0.2.1]", "a@xacme.example"}) {
    const auto refusal = refuse_sender(tenant(), address(bad));
    ASSERT_TRUE(refusal) << bad;
    EXPECT_EQ(refusal->code, 550);
  }
  EXPECT_FALSE(refuse_sender(tenant(), smtp::Address()));  // bounces
  EXPECT_FALSE(refuse_sender(control::Tenant{}, address("a@anything.example")));
}

TEST(Policy, From) {
  EXPECT_FALSE(refuse_from(tenant(), " Ann <ann@Acme.Example>\r\n"));
  EXPECT_TRUE(refuse_from(tenant(), " ann@bounce.acme.example\r\n"));
  EXPECT_TRUE(refuse_from(tenant(), " \"ann@acme.example\" <ann@other.example>\r\n"));
  EXPECT_TRUE(refuse_from(tenant(), " undisclosed\r\n"));
  EXPECT_TRUE(refuse_from(tenant(), std::nullopt));
  EXPECT_FALSE(refuse_from(control::Tenant{}, std::nullopt));
}

TEST(InboundDomains, WhoseTheyAre) {
  control::Snapshot snapshot;
  snapshot.version = 7;
  snapshot.tenants["acme"] = tenant();
  const InboundDomains domains(snapshot, "Bounces.Example");
  EXPECT_EQ(domains.version(), 7u);
  EXPECT_EQ(domains.tenant_of(address("x@bounces.example"))->text(), "default");
  EXPECT_EQ(domains.tenant_of(address("x@acme.example")), nullptr);
  EXPECT_EQ(domains.tenant_of(address("x@bounce.acme.example"))->text(), "acme");
  EXPECT_EQ(domains.tenant_of(address("x@bounce.NEW.example"))->text(), "acme");
  EXPECT_EQ(domains.tenant_of(address("postmaster"))->text(), "default");
  EXPECT_EQ(domains.tenant_of(address("x@new.example")), nullptr);
  EXPECT_EQ(domains.tenant_of(address("x@[192.0.2.1]")), nullptr);
  EXPECT_EQ(InboundDomains(snapshot, "").tenant_of(address("x@bounces.example")), nullptr);
}

}  // namespace
}  // namespace godwit::ingress
