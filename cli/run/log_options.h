#pragma once

#include <memory>
#include <string>

#include "cli/config.h"
#include "cli/run/archive.h"
#include "common/log/counters.h"
#include "common/log/embedded.h"
#include "common/log/kafka/options.h"

// What the two kinds of log are told, of the configuration.
// Threads  pure
namespace godwit::cli::run {

// `hand`: of the thread that archives, as archive_policy().
[[nodiscard]] log::EmbeddedConfig embedded_config(const Config& config,
                                                  std::shared_ptr<log::Counters> counters,
                                                  HandOf hand);
[[nodiscard]] log::KafkaOptions kafka_options(const Config& config, const std::string& node);

}  // namespace godwit::cli::run
