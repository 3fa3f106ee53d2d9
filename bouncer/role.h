#pragma once

#include <memory>

#include "common/control/return_path.h"
#include "common/role/role.h"

namespace godwit::bouncer {

// The role `bouncer`: reads what comes back (`reports`), and tells submitters what became of their
// mail (README.md).
//
// Lifecycle  as role::Role. drain() takes nothing more and waits for the commits under way; stop()
//            gives the partitions back
// Ready      when it is a member of its group and no partition it owns stands still
[[nodiscard]] std::unique_ptr<role::Role> make_bouncer(const role::RoleContext& context,
                                                       control::ReturnPath return_path);

}  // namespace godwit::bouncer
