#include "common/control/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace godwit::control {
namespace {

template <class Value>
const Value* find(const std::map<std::string, Value>& values, std::string_view name) {
  const auto found = values.find(std::string(name));
  return found == values.end() ? nullptr : &found->second;
}

bool matches(const ShapingEntry& entry, std::string_view site, std::string_view domain,
             std::string_view source) {
  return (entry.domain.empty() || entry.domain == domain) &&
         (entry.site.empty() || entry.site == site) &&
         (entry.source.empty() || entry.source == source);
}

// The narrower an entry, the later it is laid over the others; the later in the list where they are equal.
std::tuple<int, bool, const ShapingEntry*> order(const ShapingEntry* entry) {
  const int place = !entry->domain.empty() ? 2 : !entry->site.empty() ? 1 : 0;
  return {place, !entry->source.empty(), entry};
}

template <class Field, class Value>
void lay(Field& field, const std::optional<Value>& value) {
  if (value) field = *value;
}

void lay_over(Shaping& shaping, const ShapingEntry& entry) {
  lay(shaping.connection_limit, entry.connection_limit);
  lay(shaping.lane_connection_limit, entry.lane_connection_limit);
  lay(shaping.max_connection_rate, entry.max_connection_rate);
  lay(shaping.max_message_rate, entry.max_message_rate);
  lay(shaping.lane_max_message_rate, entry.lane_max_message_rate);
  lay(shaping.max_deliveries_per_connection, entry.max_deliveries_per_connection);
  lay(shaping.max_recipients_per_batch, entry.max_recipients_per_batch);
  lay(shaping.idle_timeout, entry.idle_timeout);
  lay(shaping.tls, entry.tls);
}

constexpr const char* kDefault = "default";

bool has_source(const Content& content, const SourceName& name) {
  return name.text() == kDefault || content.sources.contains(name.text());
}
bool has_pool(const Content& content, const PoolName& name) {
  return name.text() == kDefault || content.pools.contains(name.text());
}

void mend_pools(Content& content, std::vector<std::string>& wrong) {
  for (auto& [name, pool] : content.pools) {
    std::erase_if(pool.members, [&](const PoolMember& member) {
      if (has_source(content, member.source)) return false;
      wrong.push_back(fmt::format("pool {}: there is no source {}", name, member.source.text()));
      return true;
    });
  }
  std::erase_if(content.pools, [&](const auto& entry) {
    if (!entry.second.members.empty()) return false;
    wrong.push_back(fmt::format("pool {}: has no sources", entry.first));
    return true;
  });
}

void mend_tenants(Content& content, std::vector<std::string>& wrong) {
  std::map<std::string, std::string> usernames;  // to the tenant
  std::map<std::string, std::string> domains;
  for (auto& [name, tenant] : content.tenants) {
    if (!has_pool(content, tenant.pool)) {
      wrong.push_back(fmt::format("tenant {}: there is no pool {}", name, tenant.pool.text()));
      tenant.pool = PoolName(kDefault);
    }
    std::erase_if(tenant.credentials, [&](const Credential& credential) {
      const auto [owner, fresh] = usernames.emplace(credential.username, name);
      if (fresh) return false;
      wrong.push_back(fmt::format("tenant {}: the user name {} belongs to the tenant {}", name,
                                  credential.username, owner->second));
      return true;
    });
    for (SenderDomain& domain : tenant.domains) {
      if (!domain.verified) continue;
      const auto [owner, fresh] = domains.emplace(domain.name, name);
      if (fresh) continue;
      wrong.push_back(fmt::format("tenant {}: the verified domain {} belongs to the tenant {}",
                                  name, domain.name, owner->second));
      domain.verified = false;
    }
  }
}

// Every partition of a wide lane has a source of its own.
void mend_width(PlacementMap& map, const std::map<std::string, Pool>& pools,
                std::vector<std::string>& wrong) {
  for (PinnedLane& lane : map.lanes) {
    const auto pool = pools.find(lane.pool.text());
    const std::size_t sources = pool == pools.end() ? 1 : pool->second.members.size();
    if (lane.partitions.size() <= sources) continue;
    wrong.push_back(fmt::format("lane {} {}: {} partitions, and its pool has {} sources",
                                lane.site.text(), lane.pool.text(), lane.partitions.size(),
                                sources));
    lane.partitions.resize(sources);
  }
}

}  // namespace

Shaping slice(Shaping shaping, const LaneShare& share) {
  if (shaping.lane_connection_limit)
    shaping.lane_connection_limit = share.slice(*shaping.lane_connection_limit);
  if (shaping.lane_max_message_rate) {
    Rate& rate = *shaping.lane_max_message_rate;
    rate.per *= share.width;
    rate.burst = std::max<std::uint64_t>(1, rate.burst / share.width);
  }
  return shaping;
}

std::vector<std::string> mend(Content& content) {
  std::vector<std::string> wrong;
  mend_pools(content, wrong);
  mend_tenants(content, wrong);
  std::erase_if(content.shaping, [&](const ShapingEntry& entry) {
    if (entry.source.empty() || has_source(content, SourceName(entry.source))) return false;
    wrong.push_back(fmt::format("shaping: there is no source {}", entry.source));
    return true;
  });
  for (PlacementMap* map : {&content.placement.map, &content.placement.before})
    mend_width(*map, content.pools, wrong);
  return wrong;
}

std::shared_ptr<Snapshot> make_snapshot(Content content) {
  auto snapshot = std::make_shared<Snapshot>();
  static_cast<Content&>(*snapshot) = std::move(content);
  snapshot->sources.try_emplace(kDefault, Source{.name = SourceName(kDefault)});
  snapshot->pools.try_emplace(
      kDefault, Pool{.name = PoolName(kDefault), .members = {{.source = SourceName(kDefault)}}});
  snapshot->tenants.try_emplace(kDefault, Tenant{.name = TenantName(kDefault)});
  snapshot->index();
  return snapshot;
}

SnapshotPtr default_snapshot() {
  static const SnapshotPtr snapshot = make_snapshot({});
  return snapshot;
}

const Tenant* Snapshot::tenant(std::string_view name) const {
  return find(tenants, name);
}
const Pool* Snapshot::pool(std::string_view name) const {
  return find(pools, name);
}
const Source* Snapshot::source(std::string_view name) const {
  return find(sources, name);
}

std::optional<Snapshot::Account> Snapshot::account(std::string_view username) const {
  const auto found = accounts_.find(std::string(username));
  if (found == accounts_.end()) return std::nullopt;
  return found->second;
}

const Tenant* Snapshot::tenant_of_domain(std::string_view domain) const {
  const auto found = domains_.find(std::string(domain));
  return found == domains_.end() ? nullptr : found->second;
}

bool Snapshot::shapes_domain(std::string_view domain) const {
  return !shaped_domains_.empty() && shaped_domains_.contains(std::string(domain));
}

Shaping Snapshot::shaping_of(std::string_view site, std::string_view domain,
                             std::string_view source) const {
  std::vector<const ShapingEntry*> laid;
  for (const ShapingEntry& entry : shaping) {
    if (matches(entry, site, domain, source)) laid.push_back(&entry);
  }
  std::ranges::sort(laid, {}, order);
  Shaping out;
  for (const ShapingEntry* entry : laid) lay_over(out, *entry);
  return out;
}

LaneMap Snapshot::lane_map(const PlacementMap& map) const {
  LaneMap lanes;
  for (const SlotMove& move : map.slots) lanes.move(move);
  for (const PinnedLane& lane : map.lanes) {
    std::vector<std::uint32_t> weights;
    std::size_t width_max = lane.partitions.size();
    if (const Pool* pool = this->pool(lane.pool.text())) {
      for (const PoolMember& member : pool->members) {
        weights.push_back(member.weight);
        // A site that has a lane for its domain alone is named like the domain.
        const std::string& site = lane.site.text();
        if (const auto limit = shaping_of(site, site, member.source.text()).lane_connection_limit) {
          width_max = std::min<std::size_t>(width_max, *limit);
        }
      }
    }
    lanes.pin(lane, weights, width_max);
  }
  return lanes;
}

void Snapshot::index() {
  accounts_.clear();
  domains_.clear();
  shaped_domains_.clear();
  for (const auto& [name, tenant] : tenants) {
    for (const Credential& credential : tenant.credentials) {
      accounts_.emplace(credential.username, Account{&tenant, &credential});
    }
    for (const SenderDomain& domain : tenant.domains) {
      if (domain.verified) domains_.emplace(domain.name, &tenant);
    }
  }
  for (const ShapingEntry& entry : shaping) {
    if (!entry.domain.empty()) shaped_domains_.insert(entry.domain);
  }
  lanes_ = lane_map(placement.map);
  lanes_before_ = lane_map(placement.before);
}

}  // namespace godwit::control
