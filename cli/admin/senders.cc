#include "cli/admin/senders.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

bool is_sender(const std::vector<operate::RoleInfo>& roles) {
  return std::ranges::find(roles, "sender", &operate::RoleInfo::name) != roles.end();
}

constexpr const char* kDrains = ": draining: what it has given back waits in the log";

}  // namespace

Result<Senders> Senders::of(const Target& target, std::chrono::milliseconds deadline) {
  TRY(operate::Client here, connect(target));
  return Senders(target, std::move(here), deadline);
}

operate::Client& Senders::there(const std::string& address) {
  const auto known = there_.find(address);
  if (known != there_.end()) return known->second;
  operate::Client client(
      {.address = address, .token = target_.token, .tls = target_.tls, .deadline = deadline_});
  return there_.emplace(address, std::move(client)).first->second;
}

Result<Senders::Roster> Senders::roster() {
  Roster roster;
  TRY(roster.self, here_.info());
  auto nodes = here_.nodes();
  if (nodes) {
    roster.nodes = *std::move(nodes);
  } else {
    roster.unknown = nodes.error().to_string();
  }
  // Of processes that have gone nobody asks again.
  std::erase_if(there_, [&](const auto& known) {
    return std::ranges::find(roster.nodes, known.first, &operate::NodeAnswer::admin) ==
           roster.nodes.end();
  });
  return roster;
}

Result<void> Senders::ask(const Roster& roster, Missing& missing, const AskOne& ask) {
  const operate::NodeInfo& self = roster.self;
  bool any = is_sender(self.roles);
  if (any) {
    TRY_VOID(ask(here_));
    if (self.draining) missing.push_back(self.node + kDrains);
  }
  if (!roster.unknown.empty()) {
    missing.push_back("whoever else there is: " + roster.unknown);
    return {};
  }
  for (const operate::NodeAnswer& node : roster.nodes) {
    const bool is_self = node.node == self.node && node.started == self.started;
    if (is_self || node.state == "ended" || !is_sender(node.roles)) continue;
    any = true;
    if (node.state == "silent") {
      missing.push_back(node.node + ": silent");
      continue;
    }
    if (const auto asked = ask(there(node.admin)); !asked)
      missing.push_back(node.node + ": " + asked.error().to_string());
    else if (node.state == "draining")
      missing.push_back(node.node + kDrains);
  }
  if (!any) missing.emplace_back("everything: no process has the role sender");
  return {};
}

Result<operate::QueueSummary> Senders::queue(const Roster& roster, const operate::QueueQuery& query,
                                             Missing& missing) {
  std::vector<operate::QueueSummary> parts;
  TRY_VOID(ask(roster, missing, [&](operate::Client& sender) -> Result<void> {
    TRY(auto part, sender.queue(query));
    parts.push_back(std::move(part));
    return {};
  }));
  return operate::merge(parts, query.rows_max);
}

void tell_of(const Missing& missing, Io io) {
  for (const std::string& one : missing)
    io.err << "godwit ctl: not counted: " << text::printable(one, 500) << '\n';
}

Result<operate::QueueSummary> queue_everywhere(const Target& target,
                                               const operate::QueueQuery& query, Missing& missing) {
  TRY(Senders senders, Senders::of(target));
  TRY(const Senders::Roster roster, senders.roster());
  return senders.queue(roster, query, missing);
}

Result<operate::DeliveryList> deliveries_everywhere(const Target& target,
                                                    const commands::Filter& filter,
                                                    std::uint32_t rows_max, Missing& missing) {
  std::vector<operate::DeliveryList> parts;
  TRY(Senders senders, Senders::of(target));
  TRY(const Senders::Roster roster, senders.roster());
  TRY_VOID(senders.ask(roster, missing, [&](operate::Client& client) -> Result<void> {
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
  TRY(Senders senders, Senders::of(target));
  TRY(const Senders::Roster roster, senders.roster());
  TRY_VOID(senders.ask(roster, missing, [&](operate::Client& client) -> Result<void> {
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
