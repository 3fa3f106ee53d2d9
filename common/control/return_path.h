#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/control/snapshot.h"

namespace godwit::report {
class ReturnKeys;
}

namespace godwit::control {

// Which mail leaves with a return address of ours (common/report/return_address.h), and at which
// domain.
//
// Threads   a value; `keys` is immutable
struct ReturnPath {
  std::string domain;  // bounce.domain: for all tenants, lower case, A-labels; empty: none
  bool always =
      false;  // bounce.return_path: also mail of domains without a return path of their own
  std::shared_ptr<const report::ReturnKeys> keys;  // null: nothing leaves with one

  // The domain of the return address of mail from `sender`; empty: it keeps its sender.
  //   the null reverse-path                                    keeps it, always (RFC 5321 s4.5.5)
  //   a verified domain of the tenant with a return_path, or
  //   that return_path itself                                  the return_path
  //   others                                                   `domain`, when `always`
  [[nodiscard]] std::string domain_for(const Snapshot& control, std::string_view tenant,
                                       std::string_view sender) const;
};

// All domains that return addresses may be at, with the tenant whose it is: `default` for
// bounce.domain.
[[nodiscard]] std::unordered_map<std::string, TenantName> return_domains(
    const Snapshot& control, std::string_view bounce_domain);

}  // namespace godwit::control
