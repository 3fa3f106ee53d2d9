#include "common/control/static_route.h"

#include <charconv>

#include "common/control/errc.h"
#include "common/text/idna.h"

namespace godwit::control {
namespace {

constexpr std::string_view kCapture = "capture";

// "example.test" for itself, ".example.test" for what is below it, "" for everything.
std::string pattern_key(std::string_view pattern) {
  if (pattern == "*") return {};
  if (pattern.starts_with("*.")) return text::to_lower(pattern.substr(1));
  return text::to_lower(pattern);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return fail(Errc::kBadRoute, "the port is a number from 1 to 65535");
  }
  return port;
}

}  // namespace

Result<RouteTarget> parse_route_target(std::string_view to) {
  if (to == kCapture) return RouteTarget{.capture = true};
  RouteTarget target;
  std::string_view port;
  bool has_port = false;
  if (to.starts_with('[')) {
    const std::size_t close = to.find(']');
    if (close == std::string_view::npos) return fail(Errc::kBadRoute, "the bracket is not closed");
    target.host = to.substr(1, close - 1);
    const std::string_view rest = to.substr(close + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port)
      return fail(Errc::kBadRoute, "behind the bracket only :PORT may stand");
    port = has_port ? rest.substr(1) : rest;
    if (!target.host.contains(':')) return fail(Errc::kBadRoute, "brackets are for IPv6 addresses");
  } else {
    const std::size_t colon = to.find(':');
    if (colon != to.rfind(':')) return fail(Errc::kBadRoute, "an IPv6 address stands in brackets");
    has_port = colon != std::string_view::npos;
    if (has_port) port = to.substr(colon + 1);
    TRY(target.host, text::to_ascii_domain(to.substr(0, colon)));
  }
  if (has_port) {
    TRY(target.port, parse_port(port));
  }
  return target;
}

StaticRoutes::StaticRoutes(std::vector<StaticRoute> routes) : routes_(std::move(routes)) {
  for (std::size_t i = 0; i < routes_.size(); ++i)
    by_pattern_.emplace(pattern_key(routes_[i].domain), i);
}

const StaticRoute* StaticRoutes::find(std::string_view domain) const {
  if (routes_.empty()) return nullptr;
  const auto at = [&](std::string_view key) -> const StaticRoute* {
    const auto found = by_pattern_.find(key);
    return found == by_pattern_.end() ? nullptr : &routes_[found->second];
  };
  if (const StaticRoute* exact = at(domain)) return exact;
  for (std::size_t dot = domain.find('.'); dot != std::string_view::npos;
       dot = domain.find('.', dot + 1)) {
    if (const StaticRoute* below = at(domain.substr(dot))) return below;
  }
  return at({});
}

}  // namespace godwit::control
