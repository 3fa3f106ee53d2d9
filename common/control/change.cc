#include "common/control/change.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/config/print.h"
#include "common/control/control_file.h"
#include "common/control/errc.h"
#include "common/control/password.h"

namespace godwit::control {
namespace {

using config::Node;
using What = ObjectChange::What;

// The plain text that is in the file may be what a known hash was made of.
const std::string* hash_of(const Content& known, const std::string& tenant,
                           const Credential& credential) {
  const auto owner = known.tenants.find(tenant);
  if (owner == known.tenants.end()) return nullptr;
  for (const Credential& stored : owner->second.credentials) {
    if (stored.username == credential.username && is_password_hash(stored.password) &&
        verify_password(stored.password, credential.password)) {
      return &stored.password;
    }
  }
  return nullptr;
}

template <class Values>
void lay_over(Values& values, const Values& wanted, bool named, bool prune) {
  if (!named) return;
  if (prune) values.clear();
  for (const auto& [name, value] : wanted) values.insert_or_assign(name, value);
}

// What would be in force.
Content merged(const Content& now, const ParsedControl& file, bool prune, Timestamp time) {
  Content after = now;
  lay_over(after.tenants, file.content.tenants, file.named.tenants, prune);
  lay_over(after.sources, file.content.sources, file.named.sources, prune);
  lay_over(after.pools, file.content.pools, file.named.pools, prune);
  if (file.named.shaping) after.shaping = file.content.shaping;
  if (file.named.placement)
    after.placement = changed(now.placement, file.content.placement.map, time);
  return after;
}

template <class Values>
void add_left(const Values& now, const Values& wanted, bool named, Kind kind,
              std::vector<ObjectName>& left) {
  if (!named) return;
  for (const auto& [name, value] : now) {
    if (!wanted.contains(name)) left.push_back({kind, name});
  }
}

std::vector<std::string> list_details(const Node& before, const Node& after) {
  std::multiset<std::string> gone;
  for (const Node& item : before.items) gone.insert(config::print_shown(item));
  std::vector<std::string> details;
  for (const Node& item : after.items) {
    const std::string text = config::print_shown(item);
    if (const auto same = gone.find(text); same != gone.end()) {
      gone.erase(same);
    } else {
      details.push_back("+ " + text);
    }
  }
  for (const std::string& text : gone) details.push_back("- " + text);
  if (details.empty()) details.emplace_back("in another order");
  return details;
}

std::vector<std::string> map_details(const Node& before, const Node& after) {
  std::vector<std::string> keys;
  for (const Node* node : {&before, &after}) {
    for (const config::Entry& entry : node->entries) {
      if (std::ranges::find(keys, entry.key) == keys.end()) keys.push_back(entry.key);
    }
  }
  std::vector<std::string> details;
  for (const std::string& key : keys) {
    const Node* const old_value = before.find(key);
    const Node* const new_value = after.find(key);
    const auto text = [](const Node* node) {
      return node == nullptr ? std::string("unset") : config::print_inline(*node);
    };
    if (text(old_value) == text(new_value)) continue;
    const bool secret = (old_value && old_value->secret) || (new_value && new_value->secret);
    details.push_back(secret ? key + ": another"
                             : fmt::format("{}: {} -> {}", key, text(old_value), text(new_value)));
  }
  return details;
}

std::vector<std::string> details_of(const Node& before, const Node& after) {
  return before.kind == Node::Kind::kList ? list_details(before, after)
                                          : map_details(before, after);
}

std::unexpected<Error> bad_file(const config::Problems& problems) {
  return fail(Errc::kBadFile, joined(problems));
}

// Rules that a file by itself cannot break.
config::Problems problems_of(const Content& after, const Objects& objects,
                             const std::string& file) {
  config::Problems problems;
  Content copy = after;
  for (std::string& wrong : mend(copy)) problems.push_back({file, {}, {}, std::move(wrong), {}});
  for (const auto& [id, data] : objects) {
    if (data.size() <= kObjectBytesMax) continue;
    problems.push_back({file,
                        {},
                        {},
                        fmt::format("{} takes {} octets", id.to_text(), data.size()),
                        fmt::format("at most {}", kObjectBytesMax)});
  }
  return problems;
}

}  // namespace

std::string ObjectChange::to_text() const {
  constexpr const char* kWords[] = {"", "added", "changed", "removed"};
  std::string text = fmt::format("{} {}", kWords[static_cast<std::size_t>(what)], object.to_text());
  if (!details.empty()) text += fmt::format(": {}", fmt::join(details, "; "));
  return text;
}

Result<void> hash_secrets(Content& content, const Content& known) {
  for (auto& [name, tenant] : content.tenants) {
    for (Credential& credential : tenant.credentials) {
      if (is_password_hash(credential.password)) continue;
      if (const std::string* hash = hash_of(known, name, credential)) {
        credential.password = *hash;
      } else {
        TRY(credential.password, hash_password(credential.password));
      }
    }
    for (ApiKey& key : tenant.api_keys) {
      if (!is_api_key_hash(key.key)) key.key = hash_api_key(key.key);
    }
  }
  return {};
}

Result<Change> plan_change(const Content& now, const Objects& objects, const ChangeRequest& request,
                           Timestamp time) {
  // Which kinds the file names is known only when it is read: so twice, the second time with what stays beside it.
  const ParsedControl alone = parse_control(request.text, request.file, now);
  Content beside = now;
  if (request.prune) {
    if (alone.named.tenants) beside.tenants.clear();
    if (alone.named.sources) beside.sources.clear();
    if (alone.named.pools) beside.pools.clear();
  }
  ParsedControl file = request.prune ? parse_control(request.text, request.file, beside) : alone;
  if (!file.problems.empty()) return bad_file(file.problems);
  TRY_VOID(hash_secrets(file.content, now));

  const Content after = merged(now, file, request.prune, time);
  Objects wanted = objects_of(after);
  if (const auto problems = problems_of(after, wanted, request.file); !problems.empty())
    return bad_file(problems);

  Change change;
  change.plan.notices = std::move(file.notices);
  const auto nodes_before = nodes_of(now);
  const auto nodes_after = nodes_of(after);
  for (auto& [id, data] : wanted) {
    const auto stored = objects.find(id);
    if (stored == objects.end()) {
      change.plan.changes.push_back({What::kAdded, id, {}});
      change.put.emplace(id, std::move(data));
    } else if (!same_object(id.kind, stored->second, data)) {
      const auto before = nodes_before.find(id);
      change.plan.changes.push_back({What::kChanged, id,
                                     before == nodes_before.end()
                                         ? std::vector<std::string>{}
                                         : details_of(before->second, nodes_after.at(id))});
      change.put.emplace(id, keep_unknown(id.kind, stored->second, std::move(data)));
    }
  }
  for (const auto& [id, data] : objects) {
    if (wanted.contains(id)) continue;
    change.plan.changes.push_back({What::kRemoved, id, {}});
    change.removed.push_back(id);
  }
  if (!request.prune) {
    auto& left = change.plan.left;
    add_left(now.tenants, file.content.tenants, file.named.tenants, Kind::kTenant, left);
    add_left(now.sources, file.content.sources, file.named.sources, Kind::kSource, left);
    add_left(now.pools, file.content.pools, file.named.pools, Kind::kPool, left);
  }
  return change;
}

}  // namespace godwit::control
