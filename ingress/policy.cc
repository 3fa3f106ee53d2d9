#include "ingress/policy.h"

#include <algorithm>

#include "common/control/return_path.h"
#include "common/mail/address_list.h"
#include "common/report/errc.h"
#include "common/report/return_address.h"
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

std::optional<smtp::Reply> refuse_inbound(const smtp::Address& recipient,
                                          const report::ReturnKeys* keys) {
  const std::string_view local = recipient.local_part();
  if (recipient.domain().empty() || text::equals_ignoring_case(local, "postmaster") ||
      text::equals_ignoring_case(local, "abuse")) {
    return std::nullopt;
  }
  if (keys != nullptr) {
    const auto address = keys->decode(local, recipient.domain());
    if (address) return std::nullopt;
    if (address.error().code != report::Errc::kNotReturnAddress)
      return smtp::Reply::of(550, {5, 7, 1}, "Not a return address of ours");
  }
  return smtp::Reply::of(550, {5, 1, 1}, "No such mailbox here");
}

InboundDomains::InboundDomains(const control::Snapshot& snapshot, const std::string& bounce_domain)
    : version_(snapshot.version), tenants_(control::return_domains(snapshot, bounce_domain)) {}

const TenantName* InboundDomains::tenant_of(const smtp::Address& recipient) const {
  if (recipient.domain().empty()) return &postmaster_;
  const auto found = tenants_.find(canonical(recipient.domain()));
  return found == tenants_.end() || found->first.empty() ? nullptr : &found->second;
}

}  // namespace godwit::ingress
