#pragma once

#include "common/base/result.h"
#include "common/log/types.h"
#include "sender/environment.h"
#include "sender/queued_delivery.h"

namespace godwit::sender {

// A delivery as it waits in memory, from its record in `outbound` or its row in `retries`; `place` names it while
// it is in hand. It has no slot.
//
// Errors    record::Errc; poison::Errc::kInHand: decoding it killed the process three times
[[nodiscard]] Result<DeliveryPtr> decode_delivery(Environment& environment,
                                                  const log::RecordPosition& place,
                                                  const Rope& value);

}  // namespace godwit::sender
