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
// Errors   with one line for people. kUnavailable: no broker answers, or it refuses; may pass. std::errc::
//          permission_denied: wrong credentials. std::errc::invalid_argument: a setting is wrong, a topic is not as it
//          has to be (which setting, found, wanted), the prefix belongs to another cluster. std::errc::
//          device_or_resource_busy: another process uses the directory. kIo
// Differs  from the embedded log where log.h says so: end(), committed(), history(), read_from() and shared_table()
//          ask brokers and block; reads_by_position() is false, and read_at() is for content that is not in its record
[[nodiscard]] Result<std::unique_ptr<Log>> open_kafka(const KafkaOptions& options,
                                                      const Clock& clock);

}  // namespace godwit::log
