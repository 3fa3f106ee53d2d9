#include "cli/admin/senders.h"

#include <algorithm>
#include <functional>
#include <ostream>
#include <utility>

#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

// Asks one process: an error is what it says.
using AskOne = std::function<Result<void>(operate::Client& client)>;

bool is_sender(const std::vector<operate::RoleInfo>& roles) {
  return std::ranges::find(roles, "sender", &operate::RoleInfo::name) != roles.end();
}

constexpr const char* kDrains = ": draining: what it has given back waits in the log";

Result<void> ask_senders(const Target& target, Missing& missing, const AskOne& ask) {
  TRY(operate::Client here, connect(target));
  TRY(const operate::NodeInfo self, here.info());
  bool any = is_sender(self.roles);
  if (any) {
    TRY_VOID(ask(here));
    if (self.draining) missing.push_back(self.node + kDrains);
  }
  const auto nodes = here.nodes();
  if (!nodes) {
    missing.push_back("whoever else there is: " + nodes.error().to_string());
    return {};
  }
  for (const operate::NodeAnswer& node : *nodes) {
    const bool is_self = node.node == self.node && node.started == self.started;
    if (is_self || node.state == "ended" || !is_sender(node.roles)) continue;
    any = true;
    if (node.state == "silent") {
      missing.push_back(node.node + ": silent");
      continue;
    }
    operate::Client there({.address = node.admin, .token = target.token, .tls = target.tls});
    if (const auto asked = ask(there); !asked)
      missing.push_back(node.node + ": " + asked.error().to_string());
    else if (node.state == "draining")
      missing.push_back(node.node + kDrains);
  }
  if (!any) missing.emplace_back("everything: no process has the role sender");
  return {};
}

}  // namespace

void tell_of(const Missing& missing, Io io) {
  for (const std::string& one : missing)
    io.err << "godwit ctl: not counted: " << text::printable(one, 500) << '\n';
}

Result<operate::QueueSummary> queue_everywhere(const Target& target,
                                               const operate::QueueQuery& query, Missing& missing) {
  std::vector<operate::QueueSummary> parts;
  TRY_VOID(ask_senders(target, missing, [&](operate::Client& client) -> Result<void> {
    TRY(auto part, client.queue(query));
    parts.push_back(std::move(part));
    return {};
  }));
  return operate::merge(parts, query.rows_max);
}

Result<operate::DeliveryList> deliveries_everywhere(const Target& target,
                                                    const commands::Filter& filter,
                                                    std::uint32_t rows_max, Missing& missing) {
  std::vector<operate::DeliveryList> parts;
  TRY_VOID(ask_senders(target, missing, [&](operate::Client& client) -> Result<void> {
    TRY(auto part, client.deliveries(filter, rows_max));
    parts.push_back(std::move(part));
    return {};
  }));
  return operate::merge(std::move(parts), rows_max);
}

Result<std::optional<operate::DeliveryDetails>> delivery_anywhere(const Target& target,
                                                                  const std::string& id,
                                                                  Missing& missing) {
  std::optional<operate::DeliveryDetails> found;
  TRY_VOID(ask_senders(target, missing, [&](operate::Client& client) -> Result<void> {
    if (found) return {};
    auto details = client.delivery(id);
    if (!details && details.error().code == operate::Errc::kNotFound) return {};
    if (!details) return fail(std::move(details).error());
    found = *std::move(details);
    return {};
  }));
  return found;
}

}  // namespace godwit::cli::admin
