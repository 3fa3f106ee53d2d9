#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/log/types.h"

// Which partition of `outbound` (and of `outbound.urgent`) has a lane's mail: docs/formats/placement.md.
namespace godwit::control {

inline constexpr std::uint32_t kSlots = 4096;  // for ever

// The slot of a lane: XXH64 of site, a zero octet and pool, seed 0, modulo kSlots. For ever: see the
// test vectors of docs/formats/placement.md.
// Threads   pure
[[nodiscard]] std::uint32_t slot_of(const LaneId& lane);

struct SlotRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  // included
  bool operator==(const SlotRange&) const = default;
};

struct SlotMove {
  SlotRange slots;
  log::PartitionId partition = 0;
  bool operator==(const SlotMove&) const = default;
};

struct PinnedLane {
  SiteName site;
  PoolName pool{"default"};
  std::vector<log::PartitionId> partitions;  // more than one: the lane is wide
  bool operator==(const PinnedLane&) const = default;
};

// Where lanes are that are not where their slot says by itself; as the control file writes it.
struct PlacementMap {
  std::vector<SlotMove> slots;  // of two that overlap the later one counts
  std::vector<PinnedLane> lanes;
  bool operator==(const PlacementMap&) const = default;
};

// The map, and the one before it: everybody changes over at the same moment.
struct Placement {
  PlacementMap map;
  PlacementMap before;
  Timestamp effective_at{};  // until then `before` holds
  std::uint64_t number = 0;  // counts changes
};

// How far ahead of itself a change takes effect: longer than it takes to reach every process.
inline constexpr std::chrono::seconds kPlacementLead{5};

// `map` from `now` + kPlacementLead on. The same map is no change.
[[nodiscard]] Placement changed(const Placement& placement, PlacementMap map, Timestamp now);

// What the owner of one partition has of a lane.
//
// Each source of the pool, with its whole limits, is in one partition only; limits of the lane as a
// whole are divided.
struct LaneShare {
  std::uint32_t index = 0;
  std::uint32_t width = 1;
  // Is the pool's source at `place` of its list in this partition?
  [[nodiscard]] bool has(std::size_t place) const { return place % width == index; }
  // What of a number for the whole lane is this partition's; the slices sum up to `limit`.
  [[nodiscard]] std::uint32_t slice(std::uint32_t limit) const {
    return limit / width + (index < limit % width ? 1 : 0);
  }
  bool operator==(const LaneShare&) const = default;
};

// One version of the map, ready to be asked. Immutable once built. Partitions that the log does not
// have count as not mapped.
// Threads   any
class LaneMap {
 public:
  void move(const SlotMove& move);
  // `weights`: of the pool's sources, in the pool's order. `width_max`: a lane whose limits leave
  // nothing to a partition does not use it.
  void pin(const PinnedLane& lane, std::span<const std::uint32_t> weights, std::size_t width_max);

  // Where a delivery of the lane goes; `delivery` is any number that spreads deliveries evenly.
  [[nodiscard]] log::PartitionId partition_of(const LaneId& lane, std::uint64_t delivery,
                                              log::PartitionId partitions) const;
  // What that partition has of the lane; nothing: its mail belongs elsewhere.
  [[nodiscard]] std::optional<LaneShare> share_of(const LaneId& lane, log::PartitionId partition,
                                                  log::PartitionId partitions) const;

 private:
  struct Pin {
    std::vector<log::PartitionId> partitions;  // as many as the lane is wide
    std::vector<std::uint64_t> ends;           // running sums of the weights
  };
  [[nodiscard]] const Pin* pin_of(const LaneId& lane, log::PartitionId partitions) const;
  [[nodiscard]] log::PartitionId by_slot(const LaneId& lane, log::PartitionId partitions) const;

  std::unordered_map<std::uint32_t, log::PartitionId> slots_;
  std::unordered_map<LaneId, Pin> pins_;
};

}  // namespace godwit::control
