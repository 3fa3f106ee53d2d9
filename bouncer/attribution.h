#pragma once

#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/control/return_path.h"
#include "common/control/snapshot.h"
#include "common/record/records.h"
#include "common/report/report.h"

// What a mail that came back says about which recipient of ours.
namespace godwit::bouncer {

struct AttributionContext {
  const control::Snapshot& control;
  const control::ReturnPath& return_path;
  const std::string& node;
  Timestamp
      now;  // of the event: when the report came in, so that a repeated commit writes the same
};

// The events that follow from a report.
//
//   a bounce that failed, at a return address    `bounced` with `late`, for the recipient the
//                                                address names: it counts, not what the report says
//                                                about itself
//   feedback, at a return address or about mail that left with one   `complained`
//   others                                       none: a delay, good news, an automatic reply, mail
//                                                to postmaster
//
// The recipient's address is the one the report names; the sender's is not known here and stays
// empty. Ids are "<message>/<index>/bounced/0": a second bounce of a recipient repeats the first
// one's.
// Errors    none: what cannot be attributed gives no event
// Threads   pure
[[nodiscard]] std::vector<record::Event> attribute(const report::Report& report,
                                                   const record::Message& message,
                                                   const AttributionContext& context);

}  // namespace godwit::bouncer
