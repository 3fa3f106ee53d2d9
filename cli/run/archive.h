#pragma once

#include "common/log/embedded.h"

namespace godwit::cli::run {

// What the embedded log keeps of a segment that is used again, for audits: events and administrative changes as
// they are, accepted records without their content, nothing else. A record that cannot be read is kept whole.
[[nodiscard]] log::ArchivePolicy archive_policy();

}  // namespace godwit::cli::run
