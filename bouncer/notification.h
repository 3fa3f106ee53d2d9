#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/types.h"
#include "common/record/records.h"

// Tells a submitter what became of recipients: a message of its own, with its own id and endings
// (RFC 3461 s6).
namespace godwit::bouncer {

inline constexpr std::size_t kNoticeRecipientsMax = 100;  // of one notification

// An event that somebody is to be told about, with what it takes.
struct Noticed {
  record::Event event;
  v1::Notice notice;
};

// True when one notification tells of both: they ended in one attempt of one delivery, the same
// way.
[[nodiscard]] bool belong_together(const Noticed& a, const Noticed& b);

// The message that tells the sender, as an append to `accepted`.
//
// Input     events that belong together, at least one, with a sender that is not null (CHECKed)
// Output    from the null sender, so that nobody ever answers or bounces it back (RFC 5321 s4.5.5).
//           Its id follows from the first event's: written again after a crash it is the same
//           message
// Errors    as record::encode
// Threads   pure
struct NotificationContext {
  const std::string& node;  // Reporting-MTA
  log::PartitionId accepted_partitions = 1;
};
[[nodiscard]] Result<log::Append> notify(std::span<const Noticed> events,
                                         const NotificationContext& context);

}  // namespace godwit::bouncer
