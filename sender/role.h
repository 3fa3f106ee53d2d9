#pragma once

#include <memory>
#include <optional>

#include "common/admin/deliveries.h"
#include "common/admin/sources.h"
#include "common/control/return_path.h"
#include "common/net/address.h"
#include "common/role/role.h"
#include "sender/config.h"

namespace godwit::sender {

// The role `sender`: owns partitions of `outbound`, delivers what is in them, keeps what has to
// wait.
//
// Lifecycle  as role::Role. drain() begins no new transaction, waits for those under way until its
//            deadline; a final dot that is still unanswered then is parked as `outcome: unknown`.
//            stop() commits what ended, gives the partitions back and closes the connections
// Ready      when every partition it owns has its parked mail back and the log takes commits
// Queues     as admin::QueueSource: counters, no scan; as admin::DeliverySource: a scan of what is parked
class Sender : public role::Role, public admin::QueueSource, public admin::DeliverySource {};

// `return_path`: which mail leaves with a return address of ours.
// `capture`: where routes `to: capture` lead; such a route without it is an error of start().
[[nodiscard]] std::unique_ptr<Sender> make_sender(const role::RoleContext& context,
                                                  const Config& config,
                                                  std::optional<net::Address> capture = {},
                                                  control::ReturnPath return_path = {});

}  // namespace godwit::sender
