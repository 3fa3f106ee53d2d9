#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/counters.h"
#include "common/log/log.h"

namespace godwit::store {
class FileSystem;
}
namespace godwit::observe {
class Metrics;
}

namespace godwit::log {

// What of a record outlives its segment: the value to keep in the archive (shortened where the
// audit needs no more: an accepted record without its content), or nullopt: nothing. Called for
// each record of a topic (never of a table) when its segment is about to be reused, on a thread of
// the log; pure. Without a policy `events` and `audit` are kept as they are and nothing else is.
using ArchivePolicy =
    std::function<std::optional<Rope>(TopicPartition where, const Record& record)>;

struct EmbeddedConfig {
  // data_dir; everything of the log is below it, and is its backup
  std::filesystem::path directory;
  // of every topic that is not a one-partition table; fixed at creation
  PartitionId partitions = 16;
  std::uint64_t segment_bytes = 64ull << 20;
  std::uint32_t reserve_segments = 4;  // zero-filled, for router and sender only
  std::uint64_t reserve_table_bytes = 512ull << 20;
  // newest records kept in memory for readers that keep up
  std::uint64_t tail_cache_bytes = 16ull << 20;
  std::chrono::milliseconds commit_sync_delay_max{100};
  std::chrono::hours events_retention{24 * 45};  // of everything in the archive
  // A body's chunk is kept this long until a record refers to it: the longest a DATA command may
  // take.
  std::chrono::milliseconds unreferenced_body_hold{std::chrono::minutes(15)};
  ArchivePolicy archive_policy;
  std::shared_ptr<Counters> counters;        // optional: what the log counts, for metrics
  observe::Metrics* metrics = nullptr;       // optional, of its tables; outlives the log
  store::FileSystem* file_system = nullptr;  // tests: a disk that fails; outlives the log
};

// Opens (or creates) the embedded log: locks the directory, replays what the tables lack, cuts a
// torn tail. Blocks for the length of the recovery.
//
// Errors    kCorrupt (a bad batch below the synced mark, or a table that does not open; nothing is
//           changed), kUnavailable (another process holds the directory), kIo
[[nodiscard]] Result<std::unique_ptr<Log>> open_embedded(const EmbeddedConfig& config,
                                                         const Clock& clock);

// The size of the segments in a directory that has a log: fixed when it was made, whatever a
// configuration says later. nullopt: no log was made there yet. Writes nothing.
// Errors    kCorrupt, kIo
[[nodiscard]] Result<std::optional<std::uint64_t>> embedded_segment_bytes(
    const std::filesystem::path& directory);

// open_embedded() for a tool beside no running process: never writes; only history(), committed(),
// partitions() and end() work.
[[nodiscard]] Result<std::unique_ptr<Log>> open_embedded_read_only(const EmbeddedConfig& config);

}  // namespace godwit::log
