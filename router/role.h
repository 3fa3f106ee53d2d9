#pragma once

#include <memory>

#include "common/control/static_route.h"
#include "common/role/role.h"
#include "router/config.h"

namespace godwit::router {

// The role `router`: turns accepted messages into deliveries on the lanes they belong to. README.md is its manual page.
//
// Lifecycle  as role::Role. drain() takes no further messages and commits those in hand until its deadline;
//            stop() gives the partitions back and waits for DNS questions under way (20 s at most)
// Ready      when it is a member of its group and no partition it owns stands still
std::unique_ptr<role::Role> make_router(const role::RoleContext& context, const Config& config,
                                        control::StaticRoutes routes);

}  // namespace godwit::router
