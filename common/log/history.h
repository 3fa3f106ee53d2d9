#pragma once

#include "common/log/archive.h"
#include "common/log/log.h"
#include "common/log/partition_table.h"
#include "common/store/store.h"

namespace godwit::log {

// Log::history() of a topic: the archive, then what the segments have beyond it. Segments are not freed meanwhile.
[[nodiscard]] Result<void> visit_topic(const Archive& archive, const PartitionTable& partitions,
                                       Topic topic, Timestamp since, const VisitHistory& visit);
// Log::history() of a table: its rows.
[[nodiscard]] Result<void> visit_rows(const store::Store& store, Topic topic,
                                      const VisitHistory& visit);

// One row, under its key in the store, as history() shows it. Returns what `visit` says.
bool visit_row(Topic topic, std::string_view row, std::string_view value,
               const VisitHistory& visit);

}  // namespace godwit::log
