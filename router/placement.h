#pragma once

#include <cstdint>

#include "common/base/ids.h"
#include "common/log/types.h"

namespace godwit::router {

inline constexpr std::uint32_t kSlots = 4096;  // for ever

// The slot of a lane: XXH64 of site, a zero octet and pool, seed 0, modulo kSlots. For ever: see the test
// vectors of docs/formats/placement.md.
// Threads   pure
[[nodiscard]] std::uint32_t slot_of(const LaneId& lane);

// Which partition of `outbound` (and of `outbound.urgent`) has a lane's mail. Threads: any.
class Placement {
 public:
  virtual ~Placement() = default;
  [[nodiscard]] virtual log::PartitionId partition_of(const LaneId& lane) const = 0;
};

// Slot modulo partitions: where lanes are until control maps them.
class ModuloPlacement final : public Placement {
 public:
  explicit ModuloPlacement(log::PartitionId partitions) : partitions_(partitions) {}
  [[nodiscard]] log::PartitionId partition_of(const LaneId& lane) const override;

 private:
  log::PartitionId partitions_;
};

}  // namespace godwit::router
