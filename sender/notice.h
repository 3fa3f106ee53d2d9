#pragma once

#include <chrono>
#include <optional>

#include "common/control/return_path.h"
#include "common/control/snapshot.h"
#include "godwit/v1/event.pb.h"
#include "sender/queued_delivery.h"

// Whom to tell what became of a recipient (RFC 3461). The sender knows, the bouncer tells: what it
// needs for that goes with the event.
namespace godwit::sender {

struct NoticeRules {
  control::SnapshotPtr control;  // null: nobody is told anything
  const control::ReturnPath* return_path = nullptr;
  std::chrono::milliseconds delay_after = std::chrono::hours{4};
};

inline constexpr std::size_t kReturnedHeaderBytesMax = 16 * 1024;
inline constexpr std::size_t kReturnedWholeBytesMax = 50'000;  // of RET=FULL; larger: the header
inline constexpr std::size_t kKeptHeaderBytesMax = 2 * 1024;  // in the state of a deferred delivery

// Whether somebody wants to know of `type` (DELIVERED, BOUNCED, EXPIRED, DEFERRED) for a recipient.
//
//   never           the null sender (RFC 5321 s4.5.5), NOTIFY=NEVER, tenants with `dsn: false`,
//                   mail over HTTP
//   NOTIFY given    what it says: SUCCESS, FAILURE, DELAY (RFC 3461 s4.1)
//   none given      failure; but not of mail with a return path of ours, whose senders read events
//   passed on       a host with DSN that has taken the message tells of success itself (s5.2.2)
//   delay           once for a delivery, `delay_after` its acceptance at the earliest
// Threads   pure
[[nodiscard]] bool wants_notice(v1::EventType type, const QueuedDelivery& delivery,
                                const v1::Recipient& recipient, bool passed_on,
                                const NoticeRules& rules, Timestamp now);

// What the notification needs. `with_returned`: with the header section, or with the whole message
// where RET=FULL asks for it after a failure. Content that was not fetched: the header fields that
// keep_header() kept.
[[nodiscard]] v1::Notice make_notice(v1::EventType type, const QueuedDelivery& delivery,
                                     const v1::Recipient& recipient, bool with_returned);

// Keeps what a later notification returns, for when the content is not at hand: the fields people
// know a message by.
void keep_header(QueuedDelivery& delivery);

}  // namespace godwit::sender
