#include "router/placement.h"

#include <xxhash.h>

#include "common/base/check.h"

namespace godwit::router {

std::uint32_t slot_of(const LaneId& lane) {
  std::string octets = lane.site.text();
  octets += '\0';
  octets += lane.pool.text();
  return static_cast<std::uint32_t>(XXH64(octets.data(), octets.size(), 0) % kSlots);
}

log::PartitionId ModuloPlacement::partition_of(const LaneId& lane) const {
  CHECK(partitions_ > 0, "outbound has no partitions");
  return slot_of(lane) % partitions_;
}

}  // namespace godwit::router
