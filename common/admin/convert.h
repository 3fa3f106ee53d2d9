#pragma once

#include "common/accounting/dead_list.h"
#include "common/accounting/event_query.h"
#include "common/admin/types.h"
#include "common/audit/report.h"
#include "common/base/result.h"

// Between plain values and the messages of admin.proto. Internal to common/admin.
namespace godwit::admin::v1 {
class AuditReport;
class DeadListResponse;
class EventsRequest;
class NodeInfoResponse;
class QueueSummaryRequest;
class QueueSummaryResponse;
}  // namespace godwit::admin::v1

namespace godwit::admin {

void to_message(const NodeInfo& info, v1::NodeInfoResponse& message);
[[nodiscard]] NodeInfo from_message(const v1::NodeInfoResponse& message);

void to_message(const QueueQuery& query, v1::QueueSummaryRequest& message);
// Errors: kInvalid (an unknown grouping, too many rows).
[[nodiscard]] Result<QueueQuery> from_message(const v1::QueueSummaryRequest& message);
void to_message(const QueueSummary& summary, v1::QueueSummaryResponse& message);
[[nodiscard]] QueueSummary from_message(const v1::QueueSummaryResponse& message);

void to_message(const accounting::DeadList& list, v1::DeadListResponse& message);
[[nodiscard]] accounting::DeadList from_message(const v1::DeadListResponse& message);

void to_message(const accounting::EventQuery& query, v1::EventsRequest& message);
// Errors: kInvalid (a message id that is none, a type that is not known).
[[nodiscard]] Result<accounting::EventQuery> from_message(const v1::EventsRequest& message);

void to_message(const audit::Report& report, v1::AuditReport& message);
[[nodiscard]] audit::Report from_message(const v1::AuditReport& message);

}  // namespace godwit::admin
