#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/control/snapshot.h"
#include "common/smtp/address.h"
#include "common/smtp/reply.h"

namespace godwit::report {
class ReturnKeys;
}

// Who may send what. Pure: control data in, refusals out; nullopt: it may pass.
namespace godwit::ingress {

// A tenant that has domains sends only for those of them that are verified: envelope senders of the
// domain or of its return path (the null sender passes: bounces have it), From of the domain. A
// tenant without domains is not bound. Refusal: 550 5.7.1.
[[nodiscard]] std::optional<smtp::Reply> refuse_sender(const control::Tenant& tenant,
                                                       const smtp::Address& sender);
// `from`: the raw value of the From field; absent or unreadable is refused where the tenant is
// bound.
[[nodiscard]] std::optional<smtp::Reply> refuse_from(const control::Tenant& tenant,
                                                     std::optional<std::string_view> from);

// `inbound` takes what comes back: return addresses of ours whose signature fits, and postmaster
// and abuse of their domains (RFC 5321 s4.5.1, RFC 2142). Refusals: 550 5.7.1 for a signature that
// does not fit, 550 5.1.1 for the rest. `keys` null: no return address is ours.
[[nodiscard]] std::optional<smtp::Reply> refuse_inbound(const smtp::Address& recipient,
                                                        const report::ReturnKeys* keys);

// The domains `inbound` takes mail for, and whose they are: the bounce domain (tenant `default`)
// and return paths of tenants. Immutable; made once for each control snapshot.
class InboundDomains {
 public:
  InboundDomains(const control::Snapshot& snapshot, const std::string& bounce_domain);

  // nullptr: not ours. <postmaster> without a domain is always taken (RFC 5321 s4.5.1).
  [[nodiscard]] const TenantName* tenant_of(const smtp::Address& recipient) const;
  [[nodiscard]] std::uint64_t version() const { return version_; }

 private:
  std::uint64_t version_;
  TenantName postmaster_{"default"};
  std::unordered_map<std::string, TenantName> tenants_;
};

}  // namespace godwit::ingress
