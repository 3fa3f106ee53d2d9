#pragma once

#include <array>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/fields.h"
#include "common/control/rate.h"
#include "common/control/snapshot.h"

// The keys of the control file, as common/config reads and writes them. Internal to common/control.

namespace godwit::config {

template <>
struct Scalar<control::Rate> {
  static constexpr std::string_view kType = "rate";
  static std::expected<control::Rate, Wrong> parse(std::string_view text) {
    Result<control::Rate> rate = control::parse_rate(text);
    if (!rate)
      return std::unexpected(Wrong{quote(text) + " is no rate: " + rate.error().context, "100/s"});
    return *rate;
  }
  static std::string render(const control::Rate& rate) { return control::format_rate(rate); }
};

template <>
struct Scalar<control::SlotRange> {
  static constexpr std::string_view kType = "slots";
  static std::expected<control::SlotRange, Wrong> parse(std::string_view text);
  static std::string render(const control::SlotRange& slots);
};

}  // namespace godwit::config

namespace godwit::control {

struct ControlFile {
  std::vector<Tenant> tenants;
  std::map<std::string, Source> sources;
  std::map<std::string, std::vector<PoolMember>> pools;
  std::vector<ShapingEntry> shaping;
  PlacementMap placement;
};

constexpr auto config_names(Shaping::Tls /*unused*/) {
  return std::to_array<config::EnumName<Shaping::Tls>>(
      {{"opportunistic", Shaping::Tls::kOpportunistic},
       {"required", Shaping::Tls::kRequired},
       {"disabled", Shaping::Tls::kDisabled}});
}

constexpr auto config_names(OutcomeUnknown /*unused*/) {
  return std::to_array<config::EnumName<OutcomeUnknown>>(
      {{"retry", OutcomeUnknown::kRetry}, {"hold", OutcomeUnknown::kHold}});
}

void describe(config::Fields& fields, Credential& credential);
void describe(config::Fields& fields, ApiKey& key);
void describe(config::Fields& fields, DkimKey& key);
void describe(config::Fields& fields, SenderDomain& domain);
void describe(config::Fields& fields, Tenant& tenant);
void describe(config::Fields& fields, SourceProxy& proxy);
void describe(config::Fields& fields, Source& source);
void describe(config::Fields& fields, PoolMember& member);
void describe(config::Fields& fields, ShapingEntry& entry);
void describe(config::Fields& fields, SlotMove& move);
void describe(config::Fields& fields, PinnedLane& lane);
void describe(config::Fields& fields, PlacementMap& map);
void describe(config::Fields& fields, ControlFile& file);

}  // namespace godwit::control
