#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "common/base/ids.h"
#include "common/control/snapshot.h"

namespace godwit::sender {

// Which source of its pool a delivery leaves from.
//
// Weighted rendezvous hashing over the delivery's id: over many deliveries each source gets its
// weight's share, and one delivery gets the same source at every attempt. Greylisting, which knows
// a sender by its address, lets the retry pass; nothing has to be stored for it. When a source
// joins or leaves a pool only the deliveries that have to move do.
//
// Input     the pool; `usable` says no for a source that must not be used now (unknown, suspended).
//           A member of weight 0 takes no mail
// Output    nullptr when no member is left
// Threads   pure
// Source    Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005)
using SourceUsable = std::function<bool(const SourceName&)>;
[[nodiscard]] const control::PoolMember* choose_source(const control::Pool& pool,
                                                       const DeliveryId& delivery,
                                                       const SourceUsable& usable);

// Whether hosts of that family are tried from the source. IPv6 only with an address6; IPv4 always,
// unless the source has nothing but an address6.
[[nodiscard]] bool sends_over_ipv4(const control::Source& source);
[[nodiscard]] bool sends_over_ipv6(const control::Source& source);

}  // namespace godwit::sender
