#pragma once

#include <functional>

#include "common/log/embedded.h"
#include "common/poison/slots.h"

namespace godwit::cli::run {

// What the embedded log keeps of a segment that is used again, for audits: events and
// administrative changes as they are, accepted records without their content, nothing else. A
// record that cannot be read is kept whole, and so is one that killed the process three times when
// it was decoded.
//
// `hand`: gives the slot of the thread that archives (common/poison); asked for each record that is
// decoded. Without one nothing is counted.
using HandOf = std::function<poison::Slot&()>;
[[nodiscard]] log::ArchivePolicy archive_policy(HandOf hand = {});

}  // namespace godwit::cli::run
