#include "common/log/types.h"

#include "common/base/check.h"

namespace godwit::log {

std::string_view topic_name(Topic topic) {
  switch (topic) {
    case Topic::kAccepted: return "accepted";
    case Topic::kAcceptedUrgent: return "accepted.urgent";
    case Topic::kOutbound: return "outbound";
    case Topic::kOutboundUrgent: return "outbound.urgent";
    case Topic::kRetries: return "retries";
    case Topic::kBodies: return "bodies";
    case Topic::kEvents: return "events";
    case Topic::kReports: return "reports";
    case Topic::kControl: return "control";
    case Topic::kSuppressions: return "suppressions";
    case Topic::kCommands: return "commands";
    case Topic::kDead: return "dead";
    case Topic::kNodes: return "nodes";
    case Topic::kAuth: return "auth";
    case Topic::kAudit: return "audit";
  }
  CHECK(false, "topic {}", static_cast<int>(topic));
}

bool is_table(Topic topic) {
  switch (topic) {
    case Topic::kRetries:
    case Topic::kControl:
    case Topic::kSuppressions:
    case Topic::kCommands:
    case Topic::kDead:
    case Topic::kNodes: return true;
    default: return false;
  }
}

namespace {
constexpr std::size_t kAroundRecordBytes = 40;  // its head, and a run of its own
}  // namespace

std::size_t bytes_in_batch(const Append& append) {
  return kAroundRecordBytes + append.key.size() + append.value.size();
}

std::size_t bytes_in_batch(const TableChange& change) {
  return kAroundRecordBytes + change.key.size() + (change.value ? change.value->size() : 0);
}

bool is_single_partition(Topic topic) {
  return topic == Topic::kControl || topic == Topic::kCommands;
}

bool is_partition_owned(Topic topic) {
  return topic == Topic::kRetries;
}

}  // namespace godwit::log
