#pragma once

#include <vector>

#include "common/admin/deliveries.h"
#include "common/base/result.h"
#include "common/commands/command_book.h"

// Between plain values and the messages of admin.proto: deliveries and commands. Internal to common/admin.
namespace godwit::admin::v1 {
class CommandIssueRequest;
class CommandListResponse;
class DeliveriesResponse;
class DeliveryShowResponse;
}  // namespace godwit::admin::v1

namespace godwit::admin {

void to_message(const DeliveryList& list, v1::DeliveriesResponse& message);
// Rows whose id is none are left out.
[[nodiscard]] DeliveryList from_message(const v1::DeliveriesResponse& message);
void to_message(const DeliveryDetails& details, v1::DeliveryShowResponse& message);
[[nodiscard]] DeliveryDetails from_message(const v1::DeliveryShowResponse& message);

void to_message(const commands::Order& order, bool dry_run, v1::CommandIssueRequest& message);
// Without its actor. Errors: kBadCommand.
[[nodiscard]] Result<commands::Order> from_message(const v1::CommandIssueRequest& message);
void to_message(const std::vector<commands::Listed>& listed, Timestamp now,
                v1::CommandListResponse& message);
// Rows that are not understood are left out.
[[nodiscard]] std::vector<commands::Listed> from_message(const v1::CommandListResponse& message);

}  // namespace godwit::admin
