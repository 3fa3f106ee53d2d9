#pragma once

#include <span>
#include <string_view>

namespace godwit::router {

// Mail providers whose customers' domains share servers, reputation and limits.
struct Provider {
  std::string_view site;         // "google": in lanes, events, shaping and metrics: never renamed
  std::string_view mx_suffixes;  // names under which its MX hosts are, separated by spaces
};
[[nodiscard]] std::span<const Provider> providers();

}  // namespace godwit::router
