#include "sender/ended_attempts.h"

#include <utility>

#include "common/record/keys.h"

namespace godwit::sender {

void add_ended(const log::Batch& batch, EndedByDelivery& ended) {
  EndedByDelivery found;
  for (const log::Append& append : batch.appends) {
    if (append.where.topic != log::Topic::kEvents) continue;
    auto event = record::decode_event(append.value);
    const auto message = event ? MessageId::from_octets(event->head.message_id()) : std::nullopt;
    if (!message || event->head.type() == v1::EXPIRED) continue;
    const v1::Event& head = event->head;
    found[{*message, head.delivery_index()}].events.push_back(
        {head.type(), head.attempt(), head.held(), append.value});
  }
  for (const log::TableChange& change : batch.changes) {
    if (change.where.topic != log::Topic::kRetries || !change.value) continue;
    const bool state_row = change.key.starts_with(record::kDeliveryPrefix) ||
                           change.key.starts_with(record::kSlotPrefix);
    if (!state_row) continue;
    auto state = record::decode_delivery(*change.value);
    if (!state) continue;
    const auto at = found.find(record::delivery_id(*state));
    if (at != found.end()) at->second.left = *std::move(state);
  }
  for (auto& [id, attempt] : found) ended.insert_or_assign(id, std::move(attempt));
}

void EndedAttempts::keep(log::PartitionId partition, EndedByDelivery ended) {
  const std::lock_guard lock(mutex_);
  EndedByDelivery& kept = by_partition_[partition];
  ended.merge(kept);  // the newer of two counts
  kept = std::move(ended);
}

EndedByDelivery EndedAttempts::take(log::PartitionId partition) {
  const std::lock_guard lock(mutex_);
  return std::exchange(by_partition_[partition], {});
}

}  // namespace godwit::sender
