#include "ingress/policy.h"

#include <algorithm>

#include "common/mail/address_list.h"
#include "common/text/idna.h"

namespace godwit::ingress {
namespace {

// In the form the control data has; empty: no domain that could be in it.
std::string canonical(std::string_view domain) {
  return text::to_ascii_domain(domain).value_or(std::string{});
}

smtp::Reply not_yours(std::string_view what, std::string_view domain) {
  return smtp::Reply::of(550, {5, 7, 1},
                         std::string(what) + " domain " + std::string(domain) +
                             " is not a verified domain of this account");
}

}  // namespace

std::optional<smtp::Reply> refuse_sender(const control::Tenant& tenant,
                                         const smtp::Address& sender) {
  if (tenant.domains.empty() || sender.is_null()) return std::nullopt;
  const std::string domain = canonical(sender.domain());
  const bool owned = std::ranges::any_of(tenant.domains, [&](const control::SenderDomain& one) {
    return one.verified && !domain.empty() && (one.name == domain || one.return_path == domain);
  });
  if (owned) return std::nullopt;
  return not_yours("Sender", sender.domain());
}

std::optional<smtp::Reply> refuse_from(const control::Tenant& tenant,
                                       std::optional<std::string_view> from) {
  if (tenant.domains.empty()) return std::nullopt;
  const auto written = from ? mail::from_domain(*from) : std::string{};
  if (!written || written->empty()) {
    return smtp::Reply::of(550, {5, 7, 1}, "From field without an address of this account");
  }
  const std::string domain = canonical(*written);
  const bool owned = std::ranges::any_of(tenant.domains, [&](const control::SenderDomain& one) {
    return one.verified && !domain.empty() && one.name == domain;
  });
  if (owned) return std::nullopt;
  return not_yours("From", *written);
}

InboundDomains::InboundDomains(const control::Snapshot& snapshot, const std::string& bounce_domain)
    : version_(snapshot.version) {
  if (!bounce_domain.empty()) tenants_.emplace(canonical(bounce_domain), TenantName("default"));
  for (const auto& [name, tenant] : snapshot.tenants) {
    for (const control::SenderDomain& domain : tenant.domains) {
      if (!domain.return_path.empty()) tenants_.emplace(domain.return_path, tenant.name);
      if (domain.verified) tenants_.emplace(domain.name, tenant.name);
    }
  }
}

const TenantName* InboundDomains::tenant_of(const smtp::Address& recipient) const {
  if (recipient.domain().empty()) return &postmaster_;
  const auto found = tenants_.find(canonical(recipient.domain()));
  return found == tenants_.end() || found->first.empty() ? nullptr : &found->second;
}

}  // namespace godwit::ingress
