#pragma once

#include <filesystem>
#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::log {

struct EmbeddedConfig {
  // data_dir; everything of the log is below it, and is its backup
  std::filesystem::path directory;
  // of every topic that is not a one-partition table; fixed at creation
  PartitionId partitions = 16;
  std::uint64_t segment_bytes = 64ull << 20;
  std::uint32_t reserve_segments = 4;  // zero-filled, for router and sender only
  std::uint64_t reserve_table_bytes = 512ull << 20;
  // newest records kept in memory for readers that keep up
  std::uint64_t tail_cache_bytes = 64ull << 20;
  std::chrono::milliseconds commit_sync_delay_max{100};
  std::chrono::hours events_retention{24 * 45};
};

// Opens (or creates) the embedded log: locks the directory, replays what the tables lack, cuts a torn tail.
// Blocks for the length of the recovery.
// Errors: kCorrupt (a bad batch below the synced mark, or a table that does not open; nothing is changed),
//         kUnavailable (another process holds the directory), kIo.
[[nodiscard]] Result<std::unique_ptr<Log>> open_embedded(const EmbeddedConfig& config,
                                                         const Clock& clock);

// The same for a tool beside no running process: never writes; only history(), committed(), partitions() and
// end() work.
[[nodiscard]] Result<std::unique_ptr<Log>> open_embedded_read_only(const EmbeddedConfig& config);

}  // namespace godwit::log
