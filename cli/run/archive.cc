#include "cli/run/archive.h"

#include <optional>
#include <utility>

#include "common/record/records.h"

namespace godwit::cli::run {
namespace {

Rope without_content(const Rope& accepted) {
  return record::strip_content(accepted).value_or(accepted);
}

Rope stripped(log::TopicPartition where, const log::Record& record, const HandOf& hand) {
  if (!hand) return without_content(record.value);
  // The same step as the router's: decoding that record.
  const poison::Work step{{where, record.offset}, poison::Step::kDecode};
  poison::Slot& slot = hand();
  if (slot.refuses(step)) return record.value;
  const poison::InHand in_hand(slot, step);
  return without_content(record.value);
}

}  // namespace

log::ArchivePolicy archive_policy(HandOf hand) {
  return [hand = std::move(hand)](log::TopicPartition where,
                                  const log::Record& record) -> std::optional<Rope> {
    switch (where.topic) {
      case log::Topic::kEvents:
      case log::Topic::kAudit: return record.value;
      case log::Topic::kAccepted:
      case log::Topic::kAcceptedUrgent: return stripped(where, record, hand);
      default: return std::nullopt;
    }
  };
}

}  // namespace godwit::cli::run
