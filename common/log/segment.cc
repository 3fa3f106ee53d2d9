#include "common/log/segment.h"

namespace godwit::log {

void SegmentContent::add(const BatchHeader& batch) {
  last_time = std::max(last_time, batch.time);
  for (const Run& run : batch.runs) {
    if (run.kind != RunKind::kRecords) continue;
    const auto [found, added] = records.try_emplace(run.where, Offsets{run.first, run.next()});
    if (!added) found->second.next = run.next();
    if (run.where.topic == Topic::kBodies) last_body_time = std::max(last_body_time, batch.time);
  }
}

}  // namespace godwit::log
