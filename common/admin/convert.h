#pragma once

#include <vector>

#include "common/accounting/dead_list.h"
#include "common/accounting/event_query.h"
#include "common/accounting/held_list.h"
#include "common/admin/audit_trail.h"
#include "common/admin/dead_desk.h"
#include "common/admin/registry.h"
#include "common/admin/types.h"
#include "common/audit/report.h"
#include "common/base/result.h"
#include "common/control/authority.h"

// Between plain values and the messages of admin.proto. Internal to common/admin.
namespace godwit::admin::v1 {
class AuditLogResponse;
class AuditReport;
class ControlResponse;
class DeadListResponse;
class DeadShowResponse;
class HeldListResponse;
class EventsRequest;
class LagResponse;
class NodeInfoResponse;
class NodesResponse;
class QueueSummaryRequest;
class QueueSummaryResponse;
class TopicsResponse;
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

// convert_cluster.cc
void to_message(const accounting::HeldList& list, v1::HeldListResponse& message);
// Rows whose delivery is none are left out.
[[nodiscard]] accounting::HeldList from_message(const v1::HeldListResponse& message);
void to_message(const DeadDetails& details, v1::DeadShowResponse& message);
[[nodiscard]] DeadDetails from_message(const v1::DeadShowResponse& message);
void to_message(const control::Applied& applied, v1::ControlResponse& message);
[[nodiscard]] ControlAnswer from_message(const v1::ControlResponse& message);
void to_message(const std::vector<NodeRow>& nodes, Timestamp now, v1::NodesResponse& message);
[[nodiscard]] std::vector<NodeAnswer> from_message(const v1::NodesResponse& message);
void to_message(const std::vector<TopicRow>& topics, v1::TopicsResponse& message);
[[nodiscard]] std::vector<TopicRow> from_message(const v1::TopicsResponse& message);
void to_message(const std::vector<LagRow>& rows, v1::LagResponse& message);
[[nodiscard]] std::vector<LagRow> from_message(const v1::LagResponse& message);
void to_message(const AuditLog& found, v1::AuditLogResponse& message);
[[nodiscard]] AuditLog from_message(const v1::AuditLogResponse& message);

// Metadata that says who asks.
inline constexpr const char* kActorMetadata = "godwit-actor";
// Of one call, in both directions: a control file and some.
inline constexpr int kMessageBytesMax = 32 << 20;

}  // namespace godwit::admin
