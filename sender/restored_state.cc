#include "sender/restored_state.h"

#include "common/log/log.h"
#include "common/record/keys.h"
#include "sender/parked_index.h"

namespace godwit::sender {

namespace {

// Every key with that prefix.
Result<void> scan_prefix(const log::Table& table, std::string_view prefix,
                         const log::Table::Visit& visit) {
  std::string end(prefix);
  ++end.back();
  return table.scan(prefix, end, visit);
}

}  // namespace

Result<RestoredState> read_state(const log::Table& retries) {
  RestoredState restored;
  TRY(const auto position, retries.get(record::kPositionKey));
  if (position) {
    TRY(restored.finished, record::decode_finished_positions(*position));
  }
  TRY(const auto claim, retries.get(record::kOwnerKey));
  if (claim) {
    TRY(restored.claim, record::decode_owner_claim(*claim));
  }
  TRY_VOID(retries.scan_index(lanes_begin(), lanes_end(), [&](std::string_view entry) {
    if (const auto parsed = parse_lane(entry)) {
      restored.tally.add(QueueTally::State::kParked, QueueTally::share_of(*parsed));
      if (parsed->throttled) restored.backlogs.emplace(parsed->lane, parsed->urgent);
    }
    return true;
  }));
  TRY_VOID(
      scan_prefix(retries, record::kLanePrefix, [&](std::string_view key, std::string_view value) {
        const auto lane = record::lane_of_key(key);
        auto state = record::decode_lane_state(value);
        if (lane && state) restored.lanes.emplace(*lane, *std::move(state));
        return true;
      }));
  TRY_VOID(
      scan_prefix(retries, record::kSlotPrefix, [&](std::string_view key, std::string_view value) {
        auto state = record::decode_delivery(Rope(Bytes::copy_of(value)));
        if (state) restored.slots.emplace(key, *std::move(state));
        return true;
      }));
  return restored;
}

}  // namespace godwit::sender
