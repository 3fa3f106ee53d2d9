#include "common/control/objects.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <memory>
#include <utility>

#include "common/base/check.h"
#include "common/control/control_fields.h"
#include "godwit/v1/control.pb.h"

namespace godwit::control {
namespace {

std::string serialised(const google::protobuf::Message& message) {
  return message.SerializeAsString();
}

std::unique_ptr<google::protobuf::Message> message_of(Kind kind) {
  switch (kind) {
    case Kind::kTenant: return std::make_unique<v1::ControlTenant>();
    case Kind::kCredential: return std::make_unique<v1::ControlCredential>();
    case Kind::kApiKey: return std::make_unique<v1::ControlApiKey>();
    case Kind::kDomain: return std::make_unique<v1::ControlDomain>();
    case Kind::kSource: return std::make_unique<v1::ControlSource>();
    case Kind::kPool: return std::make_unique<v1::ControlPool>();
    case Kind::kShaping: return std::make_unique<v1::ControlShaping>();
    case Kind::kPlacement: return std::make_unique<v1::ControlPlacement>();
  }
  CHECK(false, "kind {}", static_cast<int>(kind));
}

// --- to messages ---

v1::ControlDomain message_of(const SenderDomain& domain) {
  v1::ControlDomain message;
  message.set_verified(domain.verified);
  message.set_return_path(domain.return_path);
  for (const DkimKey& key : domain.dkim) {
    auto& into = *message.add_dkim();
    into.set_selector(key.selector);
    into.set_key_file(key.key_file);
  }
  return message;
}

v1::ControlSource message_of(const Source& source) {
  v1::ControlSource message;
  message.set_address(source.address);
  message.set_address6(source.address6);
  message.set_public_address(source.public_address);
  message.set_public_address6(source.public_address6);
  message.set_ehlo(source.ehlo);
  if (!source.proxy.address.empty()) message.mutable_proxy()->set_address(source.proxy.address);
  return message;
}

v1::ControlPool message_of(const Pool& pool) {
  v1::ControlPool message;
  for (const PoolMember& member : pool.members) {
    auto& into = *message.add_members();
    into.set_source(member.source.text());
    into.set_weight(member.weight);
  }
  return message;
}

void put(const std::optional<Rate>& rate, v1::ControlRate* (v1::ControlShaping::Entry::*field)(),
         v1::ControlShaping::Entry& entry) {
  if (!rate) return;
  v1::ControlRate& into = *(entry.*field)();
  into.set_count(rate->count);
  into.set_per_ms(static_cast<std::uint64_t>(rate->per.count()));
  into.set_burst(rate->burst);
}

v1::ControlShaping::Tls tls_of(const std::optional<Shaping::Tls>& tls) {
  if (!tls) return v1::ControlShaping::TLS_UNSET;
  switch (*tls) {
    case Shaping::Tls::kOpportunistic: return v1::ControlShaping::TLS_OPPORTUNISTIC;
    case Shaping::Tls::kRequired: return v1::ControlShaping::TLS_REQUIRED;
    case Shaping::Tls::kDisabled: return v1::ControlShaping::TLS_DISABLED;
  }
  return v1::ControlShaping::TLS_UNSET;
}

void put(const ShapingEntry& entry, v1::ControlShaping::Entry& into) {
  using Entry = v1::ControlShaping::Entry;
  into.set_is_default(entry.is_default);
  into.set_domain(entry.domain);
  into.set_site(entry.site);
  into.set_source(entry.source);
  if (entry.connection_limit) into.set_connection_limit(*entry.connection_limit);
  if (entry.lane_connection_limit) into.set_lane_connection_limit(*entry.lane_connection_limit);
  put(entry.max_connection_rate, &Entry::mutable_max_connection_rate, into);
  put(entry.max_message_rate, &Entry::mutable_max_message_rate, into);
  put(entry.lane_max_message_rate, &Entry::mutable_lane_max_message_rate, into);
  if (entry.max_deliveries_per_connection)
    into.set_max_deliveries_per_connection(*entry.max_deliveries_per_connection);
  if (entry.max_recipients_per_batch)
    into.set_max_recipients_per_batch(*entry.max_recipients_per_batch);
  if (entry.idle_timeout)
    into.set_idle_timeout_ms(static_cast<std::uint64_t>(entry.idle_timeout->count()));
  into.set_tls(tls_of(entry.tls));
}

void put(const PlacementMap& map, v1::ControlPlacement::Map& into) {
  for (const SlotMove& move : map.slots) {
    auto& slots = *into.add_slots();
    slots.set_first(move.slots.first);
    slots.set_last(move.slots.last);
    slots.set_partition(move.partition);
  }
  for (const PinnedLane& pinned : map.lanes) {
    auto& lane = *into.add_lanes();
    lane.set_site(pinned.site.text());
    lane.set_pool(pinned.pool.text());
    lane.mutable_partitions()->Add(pinned.partitions.begin(), pinned.partitions.end());
  }
}

v1::ControlPlacement message_of(const Placement& placement) {
  v1::ControlPlacement message;
  message.set_number(placement.number);
  put(placement.map, *message.mutable_map());
  put(placement.before, *message.mutable_before());
  message.set_effective_unix_ms(to_unix_ms(placement.effective_at));
  return message;
}

// --- from messages ---

PlacementMap map_of(const v1::ControlPlacement::Map& from) {
  PlacementMap map;
  for (const auto& slots : from.slots())
    map.slots.push_back({{slots.first(), slots.last()}, slots.partition()});
  for (const auto& lane : from.lanes()) {
    if (lane.partitions().empty()) continue;
    map.lanes.push_back({.site = SiteName(lane.site()),
                         .pool = PoolName(lane.pool()),
                         .partitions = {lane.partitions().begin(), lane.partitions().end()}});
  }
  return map;
}

Placement placement_of(const v1::ControlPlacement& message) {
  return {.map = map_of(message.map()),
          .before = map_of(message.before()),
          .effective_at = from_unix_ms(message.effective_unix_ms()),
          .number = message.number()};
}

Source source_of(const std::string& name, const v1::ControlSource& message) {
  return {.name = SourceName(name),
          .address = message.address(),
          .address6 = message.address6(),
          .public_address = message.public_address(),
          .public_address6 = message.public_address6(),
          .ehlo = message.ehlo(),
          .proxy = {.address = message.proxy().address()}};
}

Pool pool_of(const std::string& name, const v1::ControlPool& message) {
  Pool pool{.name = PoolName(name), .members = {}};
  for (const auto& member : message.members())
    pool.members.push_back({.source = SourceName(member.source()), .weight = member.weight()});
  return pool;
}

SenderDomain domain_of(std::string_view name, const v1::ControlDomain& message) {
  SenderDomain domain{.name = std::string(name),
                      .verified = message.verified(),
                      .return_path = message.return_path(),
                      .dkim = {}};
  for (const auto& key : message.dkim()) domain.dkim.push_back({key.selector(), key.key_file()});
  return domain;
}

std::optional<Rate> rate_of(bool present, const v1::ControlRate& rate) {
  if (!present || rate.per_ms() == 0) return std::nullopt;
  return Rate{.count = rate.count(),
              .per = std::chrono::milliseconds(rate.per_ms()),
              .burst = rate.burst()};
}

std::optional<Shaping::Tls> tls_of(v1::ControlShaping::Tls tls) {
  switch (tls) {
    case v1::ControlShaping::TLS_OPPORTUNISTIC: return Shaping::Tls::kOpportunistic;
    case v1::ControlShaping::TLS_REQUIRED: return Shaping::Tls::kRequired;
    case v1::ControlShaping::TLS_DISABLED: return Shaping::Tls::kDisabled;
    default: return std::nullopt;
  }
}

ShapingEntry entry_of(const v1::ControlShaping::Entry& from) {
  ShapingEntry entry;
  entry.is_default = from.is_default();
  entry.domain = from.domain();
  entry.site = from.site();
  entry.source = from.source();
  if (from.has_connection_limit()) entry.connection_limit = from.connection_limit();
  if (from.has_lane_connection_limit()) entry.lane_connection_limit = from.lane_connection_limit();
  entry.max_connection_rate = rate_of(from.has_max_connection_rate(), from.max_connection_rate());
  entry.max_message_rate = rate_of(from.has_max_message_rate(), from.max_message_rate());
  entry.lane_max_message_rate =
      rate_of(from.has_lane_max_message_rate(), from.lane_max_message_rate());
  if (from.has_max_deliveries_per_connection())
    entry.max_deliveries_per_connection = from.max_deliveries_per_connection();
  if (from.has_max_recipients_per_batch())
    entry.max_recipients_per_batch = from.max_recipients_per_batch();
  if (from.has_idle_timeout_ms())
    entry.idle_timeout = std::chrono::milliseconds(from.idle_timeout_ms());
  entry.tls = tls_of(from.tls());
  return entry;
}

// "acme/app": the tenant and the rest. Names of tenants have no slash.
std::pair<std::string, std::string_view> split(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return {};
  return {std::string(name.substr(0, slash)), name.substr(slash + 1)};
}

// Puts one object where it belongs; what is wrong with it, or nothing. Tenants come before what is
// theirs.
std::string take(Content& content, const ObjectName& id, const std::string& data) {
  const auto read = [&data](google::protobuf::Message& message) {
    return message.ParseFromString(data);
  };
  const auto tenant = [&content](const std::string& name) -> Tenant* {
    const auto found = content.tenants.find(name);
    return found == content.tenants.end() ? nullptr : &found->second;
  };
  constexpr const char* kUnreadable = "cannot be read";
  constexpr const char* kNobodys = "belongs to no tenant";
  switch (id.kind) {
    case Kind::kTenant: {
      v1::ControlTenant message;
      if (!read(message)) return kUnreadable;
      Tenant fresh{.name = TenantName(id.name)};
      if (!message.pool().empty()) fresh.pool = PoolName(message.pool());
      fresh.dsn = !message.dsn_off();
      if (message.hold_unknown()) fresh.outcome_unknown = OutcomeUnknown::kHold;
      content.tenants.insert_or_assign(id.name, std::move(fresh));
      return {};
    }
    case Kind::kCredential: {
      v1::ControlCredential message;
      if (!read(message)) return kUnreadable;
      Tenant* const owner = tenant(message.tenant());
      if (owner == nullptr) return kNobodys;
      owner->credentials.push_back({.username = id.name, .password = message.password()});
      return {};
    }
    case Kind::kApiKey: {
      v1::ControlApiKey message;
      if (!read(message)) return kUnreadable;
      const auto [name, key] = split(id.name);
      Tenant* const owner = tenant(name);
      if (owner == nullptr) return kNobodys;
      owner->api_keys.push_back({.name = std::string(key),
                                 .key = message.key(),
                                 .scopes = {message.scopes().begin(), message.scopes().end()}});
      return {};
    }
    case Kind::kDomain: {
      v1::ControlDomain message;
      if (!read(message)) return kUnreadable;
      const auto [name, domain] = split(id.name);
      Tenant* const owner = tenant(name);
      if (owner == nullptr) return kNobodys;
      owner->domains.push_back(domain_of(domain, message));
      return {};
    }
    case Kind::kSource: {
      v1::ControlSource message;
      if (!read(message)) return kUnreadable;
      content.sources.insert_or_assign(id.name, source_of(id.name, message));
      return {};
    }
    case Kind::kPool: {
      v1::ControlPool message;
      if (!read(message)) return kUnreadable;
      content.pools.insert_or_assign(id.name, pool_of(id.name, message));
      return {};
    }
    case Kind::kShaping: {
      v1::ControlShaping message;
      if (!read(message)) return kUnreadable;
      content.shaping.clear();
      for (const auto& entry : message.entries()) content.shaping.push_back(entry_of(entry));
      return {};
    }
    case Kind::kPlacement: {
      v1::ControlPlacement message;
      if (!read(message)) return kUnreadable;
      content.placement = placement_of(message);
      return {};
    }
  }
  return "is of an unknown kind";
}

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kTenant: return "tenant";
    case Kind::kCredential: return "credential";
    case Kind::kApiKey: return "api key";
    case Kind::kDomain: return "domain";
    case Kind::kSource: return "source";
    case Kind::kPool: return "pool";
    case Kind::kShaping: return "shaping";
    case Kind::kPlacement: return "placement";
  }
  return "unknown";
}

std::string ObjectName::to_text() const {
  return fmt::format("{} {}", kind_name(kind), name);
}

Objects objects_of(const Content& content) {
  Objects objects;
  for (const auto& [name, tenant] : content.tenants) {
    v1::ControlTenant message;
    message.set_pool(tenant.pool.text());
    message.set_dsn_off(!tenant.dsn);
    message.set_hold_unknown(tenant.outcome_unknown == OutcomeUnknown::kHold);
    objects.emplace(ObjectName{Kind::kTenant, name}, serialised(message));
    for (const Credential& credential : tenant.credentials) {
      v1::ControlCredential of;
      of.set_tenant(name);
      of.set_password(credential.password);
      objects.emplace(ObjectName{Kind::kCredential, credential.username}, serialised(of));
    }
    for (const ApiKey& key : tenant.api_keys) {
      v1::ControlApiKey of;
      of.set_key(key.key);
      for (const std::string& scope : key.scopes) of.add_scopes(scope);
      objects.emplace(ObjectName{Kind::kApiKey, name + "/" + key.name}, serialised(of));
    }
    for (const SenderDomain& domain : tenant.domains) {
      objects.emplace(ObjectName{Kind::kDomain, name + "/" + domain.name},
                      serialised(message_of(domain)));
    }
  }
  for (const auto& [name, source] : content.sources)
    objects.emplace(ObjectName{Kind::kSource, name}, serialised(message_of(source)));
  for (const auto& [name, pool] : content.pools)
    objects.emplace(ObjectName{Kind::kPool, name}, serialised(message_of(pool)));
  if (!content.shaping.empty()) {
    v1::ControlShaping message;
    for (const ShapingEntry& entry : content.shaping) put(entry, *message.add_entries());
    objects.emplace(ObjectName{Kind::kShaping, std::string(kShapingName)}, serialised(message));
  }
  // One that was emptied stays: until its time comes, the one before holds.
  if (content.placement.number > 0 || content.placement.map != PlacementMap{}) {
    objects.emplace(ObjectName{Kind::kPlacement, std::string(kPlacementName)},
                    serialised(message_of(content.placement)));
  }
  return objects;
}

Content content_of(const Objects& objects, std::vector<std::string>& wrong) {
  Content content;
  for (const auto& [id, data] : objects) {  // in the order of kinds: tenants first
    if (std::string what = take(content, id, data); !what.empty())
      wrong.push_back(fmt::format("{} {}", id.to_text(), what));
  }
  return content;
}

bool same_object(Kind kind, std::string_view a, std::string_view b) {
  if (a == b) return true;
  const auto one = message_of(kind);
  const auto other = message_of(kind);
  if (!one->ParseFromString(std::string(a)) || !other->ParseFromString(std::string(b)))
    return false;
  one->DiscardUnknownFields();
  other->DiscardUnknownFields();
  return serialised(*one) == serialised(*other);
}

std::string keep_unknown(Kind kind, std::string_view stored, std::string fresh) {
  const auto before = message_of(kind);
  const auto after = message_of(kind);
  if (!before->ParseFromString(std::string(stored)) || !after->ParseFromString(fresh)) return fresh;
  const auto& unknown = before->GetReflection()->GetUnknownFields(*before);
  if (unknown.empty()) return fresh;
  after->GetReflection()->MutableUnknownFields(after.get())->MergeFrom(unknown);
  return serialised(*after);
}

}  // namespace godwit::control
