#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/node.h"
#include "common/control/snapshot.h"

// Control data as single objects: what a row of the table `control` is about (docs/formats/control.md).
namespace godwit::control {

// The numbers are on disk (godwit/v1/control.proto): never renumber.
enum class Kind : std::uint8_t {
  kTenant = 1,      // NAME
  kCredential = 2,  // USERNAME
  kApiKey = 3,      // TENANT/NAME
  kDomain = 4,      // TENANT/DOMAIN
  kSource = 5,      // NAME
  kPool = 6,        // NAME
  kShaping = 7,     // "list": all entries, their order counts
  kPlacement = 8,   // "map"
};
inline constexpr Kind kKinds[] = {Kind::kTenant,  Kind::kCredential, Kind::kApiKey,
                                  Kind::kDomain,  Kind::kSource,     Kind::kPool,
                                  Kind::kShaping, Kind::kPlacement};
[[nodiscard]] std::string_view kind_name(Kind kind);  // "tenant", "api key"
inline constexpr std::string_view kShapingName = "list";
inline constexpr std::string_view kPlacementName = "map";

struct ObjectName {
  Kind kind{};
  std::string name;
  auto operator<=>(const ObjectName&) const = default;
  [[nodiscard]] std::string to_text() const;  // "api key acme/app"
};

// Each object's Control... message, serialised.
using Objects = std::map<ObjectName, std::string>;

// Input     content as parse_control() gives it
// Threads   pure, as everything here
[[nodiscard]] Objects objects_of(const Content& content);

// The other way. What cannot be read, or belongs to a tenant that is not there, is left out and named in `wrong`.
[[nodiscard]] Content content_of(const Objects& objects, std::vector<std::string>& wrong);

// True when both say the same, as far as this version can read them.
[[nodiscard]] bool same_object(Kind kind, std::string_view a, std::string_view b);

// `fresh` with those fields of `stored` that this version does not know: they survive a change.
[[nodiscard]] std::string keep_unknown(Kind kind, std::string_view stored, std::string fresh);

// Each object as the control file writes it, for people; secrets are marked (config::Node::secret).
[[nodiscard]] std::map<ObjectName, config::Node> nodes_of(const Content& content);

}  // namespace godwit::control
