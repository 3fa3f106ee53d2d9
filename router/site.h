#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/control/snapshot.h"
#include "common/control/static_route.h"
#include "common/net/resolver.h"

// The site of a recipient domain: whose servers take its mail, and so whose limits it shares.
namespace godwit::router {

// The provider all of these MX hosts belong to (providers.cc), "google"; empty: none.
// Input   host names in lower case without final dot
[[nodiscard]] std::string_view provider_of(std::span<const std::string> mx_hosts);

// The site that the MX records of `domain` make.
//
// found       the provider of all hosts; else the set of hosts: "mx:mx1.example.net" for one,
//             "mx:mx1.example.net+1f2e3d4c" for more (the first in byte order, and the lower half of
//             XXH64 over all of them, each followed by a line feed). Preferences do not matter
// otherwise   the domain: no MX (its own address takes its mail), null MX, no such domain, and every
//             failure. Nothing is bounced here: what the DNS means for a recipient the sender decides
// Threads     pure
[[nodiscard]] SiteName site_of_mx(std::string_view domain, const net::DnsAnswer<net::MxRecord>& mx);

// The site that needs no DNS: a shaping entry for the domain or an address literal make the domain the site; a
// static route makes it the route's site, or the domain. nullopt: ask for the MX hosts.
[[nodiscard]] std::optional<SiteName> site_without_dns(const std::string& domain,
                                                       const control::Snapshot& control,
                                                       const control::StaticRoutes& routes);

}  // namespace godwit::router
