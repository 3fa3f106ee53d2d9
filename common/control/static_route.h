#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/string_hash.h"
#include "common/control/snapshot.h"

namespace godwit::control {

// A way that does not ask the DNS for MX: a smarthost, an internal server, the built-in capture.
// `sender.routes` in the configuration; router (the site) and sender (the hosts) read the same
// list.
struct StaticRoute {
  std::string
      domain;  // "example.test"; "*.example.test": every name below it; "*": everything else
  bool capture = false;  // to: capture
  std::string host;      // name or address; IPv6 without brackets
  std::uint16_t port = 25;
  std::string site;                 // empty: the recipient domain is the site
  std::optional<Shaping::Tls> tls;  // overrides what shaping says
  struct Auth {
    std::string username;
    std::string password;
  };
  std::optional<Auth> auth;
};

// "127.0.0.1:2530", "[::1]:2530", "smarthost.example", "capture". Errors: kBadRoute.
struct RouteTarget {
  bool capture = false;
  std::string host;
  std::uint16_t port = 25;
};
[[nodiscard]] Result<RouteTarget> parse_route_target(std::string_view to);

// The list as a look-up: an exact domain, else the longest "*." pattern above it, else "*".
// Of two routes for the same pattern the first holds. Immutable; threads: any.
class StaticRoutes {
 public:
  StaticRoutes() = default;
  explicit StaticRoutes(std::vector<StaticRoute> routes);

  // `domain` in lower case, A-labels (text::to_ascii_domain) or a literal "[192.0.2.1]".
  [[nodiscard]] const StaticRoute* find(std::string_view domain) const;
  [[nodiscard]] const std::vector<StaticRoute>& all() const { return routes_; }

 private:
  std::vector<StaticRoute> routes_;
  std::unordered_map<std::string, std::size_t, StringHash, std::equal_to<>>
      by_pattern_;  // "example.test", ".example.test", ""
};

}  // namespace godwit::control
