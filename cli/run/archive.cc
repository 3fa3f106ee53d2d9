#include "cli/run/archive.h"

#include "common/record/records.h"

namespace godwit::cli::run {
namespace {

std::optional<Rope> kept(log::TopicPartition where, const log::Record& record) {
  switch (where.topic) {
    case log::Topic::kEvents:
    case log::Topic::kAudit: return record.value;
    case log::Topic::kAccepted:
    case log::Topic::kAcceptedUrgent:
      return record::strip_content(record.value).value_or(record.value);
    default: return std::nullopt;
  }
}

}  // namespace

log::ArchivePolicy archive_policy() {
  return kept;
}

}  // namespace godwit::cli::run
