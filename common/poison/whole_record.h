#pragma once

#include <cstddef>

#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/log/types.h"
#include "common/poison/slots.h"

namespace godwit::log {
class Log;
}

namespace godwit::poison {

// A record for `dead` as it can be kept: with its content in it. What it refers to is freed with its
// segment, or by its retention, long before an operator has decided; then a retry would deliver nothing.
//
// Input     a Message or a Delivery of `place`, in octets that may have killed the process: it is not decoded, only
//           its content's field is looked at, as a step of its own (kSalvage)
// Output    the same record with the content inline, when that is there, of the size and with the checksum the
//           record says, and not above content_bytes_max; otherwise the record as it is
// Limits    memory: the content
// Threads   belongs to the slot's shard; borrows log and slot until it returns
[[nodiscard]] async::Task<Rope> whole_record(log::Log& log, Slot& hand, log::RecordPosition place,
                                             Rope record, std::size_t content_bytes_max);

}  // namespace godwit::poison
