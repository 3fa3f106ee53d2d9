#pragma once

#include <mutex>
#include <string>

#include "common/log/types.h"
#include "common/observe/log.h"

namespace godwit::role {

// Why the work on a partition stands still, for operators: a line in the log when that changes, and the text for
// PartitionWork::problem().
// Threads   any
class Standstill {
 public:
  Standstill(observe::Logger logger, log::PartitionId partition)
      : logger_(logger), partition_(partition) {}

  // Empty: it goes on.
  void set(std::string problem);
  [[nodiscard]] std::string problem() const;

 private:
  const observe::Logger logger_;
  const log::PartitionId partition_;
  mutable std::mutex lock_;
  std::string problem_;
};

}  // namespace godwit::role
