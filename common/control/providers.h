#pragma once

#include <span>
#include <string_view>

#include "common/control/static_route.h"

namespace godwit::control {

// Mail providers whose customers' domains share servers, reputation and limits.
struct Provider {
  std::string_view site;         // "google": in lanes, events, shaping and metrics: never renamed
  std::string_view mx_suffixes;  // names under which its MX hosts are, separated by spaces
};
[[nodiscard]] std::span<const Provider> providers();

// `site` as the label `provider` of metrics, a closed set: a provider above, or a site that a static route names;
// everything else is "other". Valid as long as `site` and `routes`.
[[nodiscard]] std::string_view provider_label(std::string_view site, const StaticRoutes& routes);

}  // namespace godwit::control
