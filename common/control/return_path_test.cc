#include "common/control/return_path.h"

#include <gtest/gtest.h>

#include "common/report/return_address.h"

namespace godwit::control {
namespace {

Snapshot acme() {
  Snapshot control;
  control.tenants["default"] = {.name = TenantName("default")};
  control.tenants["acme"] = {
      .name = TenantName("acme"),
      .domains = {{.name = "acme.example", .verified = true, .return_path = "bounce.acme.example"},
                  {.name = "new.example", .return_path = "bounce.new.example"},
                  {.name = "plain.example", .verified = true},
                  {.name = "xn--bcher-kva.example", .verified = true, .return_path = "b.example"}}};
  control.index();
  return control;
}

ReturnPath with(bool always) {
  return {.domain = "bounces.example",
          .always = always,
          .keys = std::make_shared<report::ReturnKeys>(
              std::vector<report::ReturnKey>{{1, std::string(32, 'k')}})};
}

TEST(ReturnPath, IsThatOfTheSendersDomain) {
  const Snapshot control = acme();
  const struct {
    const char* tenant;
    const char* sender;
    const char* own;  // without `always`
    const char* always;
  } cases[] = {
      {"acme", "news@acme.example", "bounce.acme.example", "bounce.acme.example"},
      {"acme", "news@ACME.example", "bounce.acme.example", "bounce.acme.example"},
      {"acme", "own@bounce.acme.example", "bounce.acme.example", "bounce.acme.example"},
      {"acme",
       "a@b\xC3\xBC"
       "cher.example",
       "b.example", "b.example"},
      {"acme", "a@new.example", "", "bounces.example"},  // not verified
      {"acme", "a@plain.example", "", "bounces.example"},
      {"acme", "a@sub.acme.example", "", "bounces.example"},
      {"default", "news@acme.example", "", "bounces.example"},  // another's
      {"nobody", "a@b.example", "", "bounces.example"},
      {"acme", "", "", ""},  // the null reverse-path stays
      {"acme", "postmaster", "", ""},
  };
  for (const auto& [tenant, sender, own, always] : cases) {
    EXPECT_EQ(with(false).domain_for(control, tenant, sender), own) << sender;
    EXPECT_EQ(with(true).domain_for(control, tenant, sender), always) << sender;
    EXPECT_EQ(ReturnPath{}.domain_for(control, tenant, sender), "") << sender;
  }
}

TEST(ReturnPath, AllDomainsHaveAnOwner) {
  const auto domains = return_domains(acme(), "Bounces.example");
  EXPECT_EQ(domains.size(), 4U);
  EXPECT_EQ(domains.at("bounces.example").text(), "default");
  EXPECT_EQ(domains.at("bounce.new.example").text(), "acme");
  EXPECT_EQ(return_domains(acme(), "").size(), 3U);
}

}  // namespace
}  // namespace godwit::control
