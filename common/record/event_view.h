#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/record/records.h"

namespace godwit::record {

// "<message id>/<index>/<type>/<attempt>", e.g.
// "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/0/delivered/1". Writing the same event again, after a crash
// or by the next owner, gives the same id: readers drop repeats by it.
[[nodiscard]] std::string event_id(const v1::Event& event);

// "delivered"; empty for a type this version does not know.
[[nodiscard]] std::string_view event_type_name(v1::EventType type);

// True for the events that end a recipient: exactly one each. A late bounce is not.
[[nodiscard]] bool is_terminal(const v1::Event& event);

// The public form, one JSON object on one line without the line end: the contract of
// docs/events.md.
//   id type time message_id tenant sender recipient, and for attempts
//   attempt site pool source remote{host,address} reply{code,enhanced,text,command} tls class
//   outcome further: late due queued_ms size tags node delivery
// Absent values are left out. Times are RFC 3339 UTC with milliseconds. Always valid UTF-8.
[[nodiscard]] std::string event_json(const Event& event);

// "2026-11-22T19:10:44.123Z"
[[nodiscard]] std::string format_rfc3339(Timestamp time);

}  // namespace godwit::record
