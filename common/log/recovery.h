#pragma once

#include <functional>
#include <string>

#include "common/log/partition_table.h"
#include "common/log/segment_scan.h"
#include "common/log/table_state.h"

namespace godwit::log {

// What the tables lack of the log, in order.
class ReplaySink {
 public:
  virtual ~ReplaySink() = default;
  virtual Result<void> change(const TableChange& change) = 0;
  virtual Result<void> position(std::string_view group, const PositionChange& change) = 0;
  // A whole batch was given.
  virtual Result<void> batch_end() = 0;
};

// What the store says about the log it reflects.
struct StoredState {
  StreamPosition checkpoint;
  std::uint64_t needed_from = 0;  // the oldest segment that must be there; 0: none yet
  std::vector<PositionChange> next_offsets;
};
// Errors: kCorrupt, kIo.
[[nodiscard]] Result<StoredState> read_stored_state(const store::Store& store);

// Reads all segments, fills `partitions` with where their records are, and gives `sink` what came after the
// checkpoint. Errors: as scan_segments(); kCorrupt when offsets of a partition do not follow each other.
[[nodiscard]] Result<Scan> recover(const ScanOptions& options, const StoredState& stored,
                                   PartitionTable& partitions, ReplaySink& sink);

// Nothing that a group has not read may be gone. Errors: kCorrupt.
[[nodiscard]] Result<void> check_position(const PartitionTable& partitions, std::string_view group,
                                          const PositionChange& position);

}  // namespace godwit::log
