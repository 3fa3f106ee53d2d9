#include "common/control/return_path.h"

#include "common/text/idna.h"

namespace godwit::control {

std::string ReturnPath::domain_for(const Snapshot& control, std::string_view tenant,
                                   std::string_view sender) const {
  if (keys == nullptr || sender.empty()) return {};
  const std::size_t at = sender.rfind('@');
  if (at == std::string_view::npos) return {};
  const Tenant* owner = control.tenant(tenant);
  if (owner != nullptr && !owner->domains.empty()) {
    const auto name = text::to_ascii_domain(sender.substr(at + 1));
    for (const SenderDomain& one : owner->domains) {
      if (!name || !one.verified || one.return_path.empty()) continue;
      if (one.name == *name || one.return_path == *name) return one.return_path;
    }
  }
  return always ? domain : std::string{};
}

std::unordered_map<std::string, TenantName> return_domains(const Snapshot& control,
                                                           std::string_view bounce_domain) {
  std::unordered_map<std::string, TenantName> domains;
  if (const auto name = text::to_ascii_domain(bounce_domain))
    domains.emplace(*name, TenantName("default"));
  for (const auto& [unused, tenant] : control.tenants) {
    for (const SenderDomain& domain : tenant.domains) {
      if (!domain.return_path.empty()) domains.emplace(domain.return_path, tenant.name);
    }
  }
  return domains;
}

}  // namespace godwit::control
