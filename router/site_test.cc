#include "router/site.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/control/providers.h"

namespace godwit::router {
namespace {

net::DnsAnswer<net::MxRecord> mx(const std::vector<std::string>& hosts,
                                 net::DnsOutcome outcome = net::DnsOutcome::kFound) {
  net::DnsAnswer<net::MxRecord> answer;
  answer.outcome = outcome;
  std::uint16_t preference = 10;
  for (const std::string& host : hosts) answer.records.push_back({preference++, host});
  return answer;
}

TEST(Site, WithoutAnAnswerTheDomainIsTheSite) {
  using enum net::DnsOutcome;
  for (const auto outcome : {kNxDomain, kNoData, kServFail, kTimeout, kBogus}) {
    EXPECT_EQ(site_of_mx("d.test", mx({}, outcome)).text(), "d.test");
  }
  EXPECT_EQ(site_of_mx("d.test", mx({""})).text(), "d.test");  // null MX
}

TEST(Site, IsTheProviderOfAllHosts) {
  const struct {
    std::vector<std::string> hosts;
    std::string_view site;
  } cases[] = {
      {{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}, "google"},
      {{"smtp.google.com"}, "google"},
      {{"aspmx2.googlemail.com", "aspmx.l.google.com"}, "google"},
      {{"contoso-com.mail.protection.outlook.com"}, "microsoft"},
      {{"contoso-com.o-v1.mx.microsoft"}, "microsoft"},
      {{"outlook-com.olc.protection.outlook.com"}, "microsoft"},
      {{"mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net"}, "yahoo"},
      {{"mx01.mail.icloud.com"}, "apple"},
      {{"mx00.gmx.net"}, "gmx"},
      {{"mx-ha02.web.de"}, "gmx"},
      {{"MX1.Comcast.NET"}, "comcast"},
  };
  for (const auto& [hosts, site] : cases)
    EXPECT_EQ(site_of_mx("d.test", mx(hosts)).text(), site) << hosts[0];
}

TEST(Site, ANameThatOnlyLooksLikeAProvidersIsNot) {
  EXPECT_EQ(site_of_mx("d.test", mx({"notgoogle.com"})).text(), "mx:notgoogle.com");
  EXPECT_EQ(site_of_mx("d.test", mx({"google.com.evil.test"})).text(), "mx:google.com.evil.test");
  // A back-up elsewhere: the mail is not the provider's alone.
  EXPECT_TRUE(
      site_of_mx("d.test", mx({"aspmx.l.google.com", "mx.d.test"})).text().starts_with("mx:aspmx"));
}

TEST(Site, IsTheSetOfHosts) {
  EXPECT_EQ(site_of_mx("a.test", mx({"mx1.h.test"})).text(), "mx:mx1.h.test");
  const SiteName both = site_of_mx("a.test", mx({"mx1.h.test", "mx2.h.test"}));
  EXPECT_EQ(both.text(), "mx:mx1.h.test+cce2657d");  // for ever: docs/formats/placement.md
  // Neither the domain, nor the order, nor repetition, nor case matter; the set does.
  EXPECT_EQ(site_of_mx("b.test", mx({"MX2.h.test", "mx1.h.test", "mx1.h.test"})), both);
  EXPECT_NE(site_of_mx("a.test", mx({"mx1.h.test", "mx3.h.test"})), both);
  EXPECT_EQ(site_of_mx("a.test", mx({"", "mx1.h.test"})).text(), "mx:mx1.h.test");
}

TEST(Site, ShapingAndRoutesNeedNoDns) {
  control::Snapshot control;
  control::ShapingEntry entry;
  entry.domain = "slow.test";
  control.shaping.push_back(entry);
  control.index();
  std::vector<control::StaticRoute> list(3);
  list[0].domain = "routed.test";
  list[1].domain = "named.test";
  list[1].site = "smarthost";
  list[2].domain = "*.slow.test";
  list[2].site = "smarthost";
  const control::StaticRoutes routes(list);
  const auto site = [&](const std::string& domain) {
    return site_without_dns(domain, control, routes);
  };
  EXPECT_EQ(site("slow.test"), SiteName("slow.test"));
  EXPECT_EQ(site("a.slow.test"), SiteName("smarthost"));
  EXPECT_EQ(site("routed.test"), SiteName("routed.test"));
  EXPECT_EQ(site("named.test"), SiteName("smarthost"));
  EXPECT_EQ(site("[192.0.2.1]"), SiteName("[192.0.2.1]"));
  EXPECT_EQ(site(""), SiteName(""));
  EXPECT_FALSE(site("other.test"));
}

TEST(Providers, HaveDistinctNamesThatAreNoDomains) {
  std::set<std::string_view> sites;
  for (const control::Provider& provider : control::providers()) {
    EXPECT_TRUE(sites.insert(provider.site).second) << provider.site;
    EXPECT_FALSE(provider.site.contains('.')) << provider.site;
    EXPECT_FALSE(provider.mx_suffixes.contains("  ")) << provider.site;
  }
}

}  // namespace
}  // namespace godwit::router
