#pragma once

#include <memory>
#include <string>

#include "cli/config.h"
#include "cli/run/archive.h"
#include "common/base/result.h"
#include "common/log/counters.h"
#include "common/log/embedded.h"
#include "common/log/kafka/options.h"
#include "common/observe/metrics.h"

// What the two kinds of log are told, of the configuration.
// Threads  any
namespace godwit::cli::run {

// `hand`: of the thread that archives, as archive_policy().
[[nodiscard]] log::EmbeddedConfig embedded_config(const Config& config,
                                                  std::shared_ptr<log::Counters> counters,
                                                  HandOf hand);
// The size of segments is fixed when a data directory is made. An error says that those of this one
// are too small for the largest mail that the configuration accepts now, and what would be right: it
// would be refused with 451 for ever. Reads one small file; what is wrong with that, opening the log
// tells.
[[nodiscard]] Result<void> check_made_segments(const Config& config);
[[nodiscard]] log::KafkaOptions kafka_options(const Config& config, const std::string& node,
                                              observe::Metrics& metrics);

}  // namespace godwit::cli::run
