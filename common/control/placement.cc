#include "common/control/placement.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <memory_resource>
#include <string>
#include <utility>

#include "common/base/check.h"

namespace godwit::control {

std::uint32_t slot_of(const LaneId& lane) {
  std::array<char, 512> room;  // names are shorter, mostly
  std::pmr::monotonic_buffer_resource memory(room.data(), room.size());
  std::pmr::string octets(&memory);
  octets.reserve(lane.site.text().size() + 1 + lane.pool.text().size());
  octets += lane.site.text();
  octets += '\0';
  octets += lane.pool.text();
  return static_cast<std::uint32_t>(XXH64(octets.data(), octets.size(), 0) % kSlots);
}

Placement changed(const Placement& placement, PlacementMap map, Timestamp now) {
  if (map == placement.map) return placement;
  return {.map = std::move(map),
          .before = now < placement.effective_at ? placement.before : placement.map,
          .effective_at = now + kPlacementLead,
          .number = placement.number + 1};
}

void LaneMap::move(const SlotMove& move) {
  for (std::uint32_t slot = move.slots.first; slot <= move.slots.last && slot < kSlots; ++slot)
    slots_.insert_or_assign(slot, move.partition);
}

void LaneMap::pin(const PinnedLane& lane, std::span<const std::uint32_t> weights,
                  std::size_t width_max) {
  Pin pin{.partitions = lane.partitions, .ends = {}};
  const std::size_t width = std::min({pin.partitions.size(), weights.size(), width_max});
  pin.partitions.resize(std::max<std::size_t>(1, width));
  std::uint64_t end = 0;
  for (const std::uint32_t weight : weights) pin.ends.push_back(end += weight);
  pins_.insert_or_assign(LaneId{lane.site, lane.pool}, std::move(pin));
}

const LaneMap::Pin* LaneMap::pin_of(const LaneId& lane, log::PartitionId partitions) const {
  if (pins_.empty()) return nullptr;
  const auto found = pins_.find(lane);
  if (found == pins_.end()) return nullptr;
  const bool there = std::ranges::all_of(
      found->second.partitions, [&](log::PartitionId partition) { return partition < partitions; });
  return there ? &found->second : nullptr;
}

log::PartitionId LaneMap::by_slot(const LaneId& lane, log::PartitionId partitions) const {
  CHECK(partitions > 0, "outbound has no partitions");
  const std::uint32_t slot = slot_of(lane);
  if (const auto moved = slots_.find(slot); moved != slots_.end() && moved->second < partitions)
    return moved->second;
  return slot % partitions;
}

log::PartitionId LaneMap::partition_of(const LaneId& lane, std::uint64_t delivery,
                                       log::PartitionId partitions) const {
  const Pin* const pin = pin_of(lane, partitions);
  if (pin == nullptr) return by_slot(lane, partitions);
  if (pin->partitions.size() == 1) return pin->partitions.front();
  // A source by its weight, and with it the partition that has the source.
  const std::uint64_t all = pin->ends.back();
  const auto source = static_cast<std::size_t>(
      all == 0 ? delivery % pin->ends.size()
               : std::ranges::upper_bound(pin->ends, delivery % all) - pin->ends.begin());
  return pin->partitions[source % pin->partitions.size()];
}

std::optional<LaneShare> LaneMap::share_of(const LaneId& lane, log::PartitionId partition,
                                           log::PartitionId partitions) const {
  const Pin* const pin = pin_of(lane, partitions);
  if (pin == nullptr) {
    if (by_slot(lane, partitions) != partition) return std::nullopt;
    return LaneShare{};
  }
  const auto found = std::ranges::find(pin->partitions, partition);
  if (found == pin->partitions.end()) return std::nullopt;
  return LaneShare{.index = static_cast<std::uint32_t>(found - pin->partitions.begin()),
                   .width = static_cast<std::uint32_t>(pin->partitions.size())};
}

}  // namespace godwit::control
