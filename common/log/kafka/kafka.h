#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/kafka/options.h"
#include "common/log/log.h"

namespace godwit::log {

// Opens the log on Kafka: finds the cluster, makes or checks its topics, opens the local copies of tables. Blocks for
// a few round trips, and not longer than 15 s.
//
// Errors   kUnavailable with one line for people: no broker answers, wrong credentials, a topic that is not as it has
//          to be (which setting, found, wanted), a prefix that belongs to another cluster, a directory that another
//          process uses; kIo
// Differs  from the embedded log where log.h says so: end(), committed(), history(), read_from() and shared_table()
//          ask brokers and block; reads_by_position() is false, and read_at() is for content that is not in its record
[[nodiscard]] Result<std::unique_ptr<Log>> open_kafka(const KafkaOptions& options,
                                                      const Clock& clock);

}  // namespace godwit::log
