#include "common/role/standstill.h"

#include <utility>

namespace godwit::role {

std::string Standstill::problem() const {
  const std::lock_guard lock(lock_);
  return problem_;
}

void Standstill::set(std::string problem) {
  const std::lock_guard lock(lock_);
  if (problem == problem_) return;
  problem_ = std::move(problem);
  if (problem_.empty()) {
    logger_.info("partition goes on", {{"partition", partition_}});
  } else {
    logger_.error("partition stands still", {{"partition", partition_}, {"problem", problem_}});
  }
}

}  // namespace godwit::role
