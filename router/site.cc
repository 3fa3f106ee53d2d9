#include "router/site.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <set>

#include "common/control/providers.h"
#include "common/text/idna.h"

namespace godwit::router {
namespace {

bool is_host_of(std::string_view host, std::string_view suffixes) {
  while (!suffixes.empty()) {
    const std::size_t space = suffixes.find(' ');
    if (text::is_below_or_equal(host, suffixes.substr(0, space))) return true;
    suffixes = space == std::string_view::npos ? std::string_view{} : suffixes.substr(space + 1);
  }
  return false;
}

std::string name_of_hosts(std::span<const std::string> sorted_hosts) {
  if (sorted_hosts.size() == 1) return "mx:" + sorted_hosts.front();
  std::string all;
  for (const std::string& host : sorted_hosts) all += host + '\n';
  const auto hash = static_cast<std::uint32_t>(XXH64(all.data(), all.size(), 0));
  return fmt::format("mx:{}+{:08x}", sorted_hosts.front(), hash);
}

}  // namespace

std::string_view provider_of(std::span<const std::string> mx_hosts) {
  if (mx_hosts.empty()) return {};
  for (const control::Provider& provider : control::providers()) {
    // All of them: a domain that only backs up at a provider is not the provider's.
    const auto is_its = [&](const std::string& host) {
      return is_host_of(host, provider.mx_suffixes);
    };
    if (std::ranges::all_of(mx_hosts, is_its)) return provider.site;
  }
  return {};
}

SiteName site_of_mx(std::string_view domain, const net::DnsAnswer<net::MxRecord>& mx) {
  std::set<std::string> sorted;
  if (mx.found()) {
    for (const net::MxRecord& record : mx.records) {
      if (!record.host.empty())
        sorted.insert(text::to_lower(record.host));  // RFC 7505: empty is null MX
    }
  }
  if (sorted.empty()) return SiteName(std::string(domain));
  const std::vector<std::string> hosts(sorted.begin(), sorted.end());
  if (const std::string_view provider = provider_of(hosts); !provider.empty()) {
    return SiteName(std::string(provider));
  }
  return SiteName(name_of_hosts(hosts));
}

std::optional<SiteName> site_without_dns(const std::string& domain,
                                         const control::Snapshot& control,
                                         const control::StaticRoutes& routes) {
  if (control.shapes_domain(domain)) return SiteName(domain);
  if (const control::StaticRoute* route = routes.find(domain)) {
    return SiteName(route->site.empty() ? domain : route->site);
  }
  if (domain.empty() || domain.front() == '[') return SiteName(domain);
  return std::nullopt;
}

}  // namespace godwit::router
