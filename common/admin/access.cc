#include "common/admin/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/base/check.h"

namespace godwit::admin {
namespace {

constexpr bool kLooks = false;
constexpr bool kChanges = true;

constexpr auto kRules = std::to_array<Rule>({
    {"NodeInfo", Role::kViewer, kLooks},
    {"Drain", Role::kOperator, kChanges},
    {"Reload", Role::kOperator, kChanges},
    {"QueueSummary", Role::kViewer, kLooks},
    {"DeadList", Role::kViewer, kLooks},
    {"DeadShow", Role::kOperator, kLooks},  // has octets of a mail
    {"DeadRetry", Role::kOperator, kChanges},
    {"DeadDrop", Role::kOperator, kChanges},
    {"HeldList", Role::kViewer, kLooks},
    {"HeldDecide", Role::kOperator, kChanges},
    {"Deliveries", Role::kViewer, kLooks},
    {"DeliveryShow", Role::kViewer, kLooks},
    {"CommandIssue", Role::kOperator, kChanges},
    {"CommandUndo", Role::kOperator, kChanges},
    {"CommandList", Role::kViewer, kLooks},
    {"ControlDiff", Role::kAdmin, kLooks},  // its file may have passwords, and each costs a hash
    {"ControlApply", Role::kAdmin, kChanges},
    {"ControlGet", Role::kAdmin, kLooks},  // has hashes of passwords
    {"Nodes", Role::kViewer, kLooks},
    {"Topics", Role::kViewer, kLooks},
    {"Lag", Role::kViewer, kLooks},
    {"Evict", Role::kOperator, kChanges},
    {"AuditLog", Role::kViewer, kLooks},
    {"GetLogLevel", Role::kViewer, kLooks},
    {"SetLogLevel", Role::kOperator, kChanges},
    {"Events", Role::kViewer, kLooks},
    {"Audit", Role::kViewer, kLooks},
});

constexpr auto kRoleNames = std::to_array<std::string_view>({"viewer", "operator", "admin"});

}  // namespace

std::string_view role_name(Role role) {
  return kRoleNames.at(static_cast<std::size_t>(role) - 1);
}

std::optional<Role> role_of_name(std::string_view name) {
  const auto found = std::ranges::find(kRoleNames, name);
  if (found == kRoleNames.end()) return std::nullopt;
  return static_cast<Role>(found - kRoleNames.begin() + 1);
}

std::span<const Rule> rules() {
  return kRules;
}

const Rule& rule_of(std::string_view rpc) {
  const auto found = std::ranges::find(kRules, rpc, &Rule::rpc);
  CHECK(found != kRules.end(), "no rule says who may call {}", rpc);
  return *found;
}

std::string Caller::to_text() const {
  return fmt::format("{} ({})", name, client);
}

}  // namespace godwit::admin
