#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "common/config/print.h"
#include "common/control/control_fields.h"
#include "common/control/control_file.h"
#include "common/control/objects.h"

// Control data as YAML: what `ctl get` prints and `ctl diff` shows.

namespace godwit::control {
namespace {

using config::Node;

// What a reader of the file would assume anyway is not written.
bool says_nothing(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return true;
    case Node::Kind::kScalar: return node.text.empty() || node.text == "false";
    case Node::Kind::kList: return node.items.empty();
    case Node::Kind::kMap: return false;
  }
  return false;
}

Node pruned(Node node) {
  for (Node& item : node.items) item = pruned(std::move(item));
  std::erase_if(node.entries, [](const config::Entry& entry) { return says_nothing(entry.value); });
  for (config::Entry& entry : node.entries) entry.value = pruned(std::move(entry.value));
  return node;
}

template <class T>
Node node_of(const T& value) {
  return pruned(config::Codec<T>::write(value, {}));
}

Node take(Node& map, std::string_view key) {
  const auto found = std::ranges::find(map.entries, key, &config::Entry::key);
  if (found == map.entries.end()) return Node::list();
  Node value = std::move(found->value);
  map.entries.erase(found);
  return value;
}

// A tenant's `dsn: false` says something, and `true` does not.
Node node_of(const Tenant& tenant) {
  Node node = config::Codec<Tenant>::write(tenant, {});
  Node assumed = config::Codec<Tenant>::write(Tenant{}, {});
  std::vector<config::Entry> said;
  for (const char* key : {"dsn", "outcome_unknown"}) {
    Node value = take(node, key);
    if (value.text != take(assumed, key).text) said.push_back({key, {}, std::move(value)});
  }
  node = pruned(std::move(node));
  std::ranges::move(said, std::back_inserter(node.entries));
  return node;
}

// "  - name: acme", its other keys below, lists of theirs an item a line.
void print_tenant(const Tenant& tenant, std::string& out) {
  const Node node = node_of(tenant);
  std::string_view indent = "  - ";
  for (const config::Entry& entry : node.entries) {
    out += indent;
    indent = "    ";
    if (entry.value.kind != Node::Kind::kList) {
      out += fmt::format("{}: {}\n", entry.key, config::print_inline(entry.value));
      continue;
    }
    out += entry.key + ":\n";
    for (const Node& item : entry.value.items)
      out += fmt::format("      - {}\n", config::print_inline(item));
  }
}

}  // namespace

std::map<ObjectName, Node> nodes_of(const Content& content) {
  std::map<ObjectName, Node> nodes;
  const auto add = [&nodes](Kind kind, std::string name, Node node) {
    nodes.emplace(ObjectName{kind, std::move(name)}, std::move(node));
  };
  for (const auto& [name, tenant] : content.tenants) {
    Node own = node_of(tenant);
    for (const char* key : {"name", "credentials", "api_keys", "domains"})
      std::ignore = take(own, key);
    add(Kind::kTenant, name, std::move(own));
    for (const Credential& credential : tenant.credentials) {
      Node node = node_of(credential);
      std::ignore = take(node, "username");
      node.entries.insert(node.entries.begin(), {"tenant", {}, Node::string(name)});
      add(Kind::kCredential, credential.username, std::move(node));
    }
    for (const ApiKey& key : tenant.api_keys)
      add(Kind::kApiKey, name + "/" + key.name, node_of(key));
    for (const SenderDomain& domain : tenant.domains)
      add(Kind::kDomain, name + "/" + domain.name, node_of(domain));
  }
  for (const auto& [name, source] : content.sources) add(Kind::kSource, name, node_of(source));
  for (const auto& [name, pool] : content.pools) add(Kind::kPool, name, node_of(pool.members));
  if (!content.shaping.empty())
    add(Kind::kShaping, std::string(kShapingName), node_of(content.shaping));
  if (content.placement.number > 0 || content.placement.map != PlacementMap{})
    add(Kind::kPlacement, std::string(kPlacementName), node_of(content.placement.map));
  return nodes;
}

std::string print_control(const Content& content) {
  std::string out;
  if (!content.tenants.empty()) out += "tenants:\n";
  for (const auto& [name, tenant] : content.tenants) print_tenant(tenant, out);
  if (!content.sources.empty()) out += "sources:\n";
  for (const auto& [name, source] : content.sources)
    out +=
        fmt::format("  {}: {}\n", config::print_key(name), config::print_inline(node_of(source)));
  if (!content.pools.empty()) out += "pools:\n";
  for (const auto& [name, pool] : content.pools) {
    out += fmt::format("  {}: {}\n", config::print_key(name),
                       config::print_inline(node_of(pool.members)));
  }
  if (!content.shaping.empty()) out += "shaping:\n";
  for (const ShapingEntry& entry : content.shaping)
    out += fmt::format("  - {}\n", config::print_inline(node_of(entry)));
  const PlacementMap& map = content.placement.map;
  if (map != PlacementMap{}) out += "placement:\n";
  if (!map.slots.empty()) out += "  slots:\n";
  for (const SlotMove& move : map.slots)
    out += fmt::format("    - {}\n", config::print_inline(node_of(move)));
  if (!map.lanes.empty()) out += "  lanes:\n";
  for (const PinnedLane& lane : map.lanes)
    out += fmt::format("    - {}\n", config::print_inline(node_of(lane)));
  return out;
}

}  // namespace godwit::control
