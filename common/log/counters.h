#pragma once

#include <atomic>
#include <cstdint>

namespace godwit::log {

// What the embedded log counts, for whoever makes metrics of it. Totals only grow; gauges are as of
// now. Threads: written by the log's threads, read by any at any time; each field alone is exact.
struct Counters {
  using Count = std::atomic<std::uint64_t>;

  Count batches_total{0};      // written to a segment
  Count batch_bytes_total{0};  // with header and padding
  Count records_total{0};      // appended to topics
  Count changes_total{0};      // of tables
  Count syncs_total{0};        // fdatasync of segments
  Count sync_nanoseconds_total{0};
  Count sync_failures_total{0};
  Count tail_cache_hits_total{0};    // records read from memory
  Count tail_cache_misses_total{0};  // records read from segments
  Count refused_no_space_total{0};   // appends
  Count refused_unavailable_total{0};
  Count segments_recycled_total{0};
  Count checkpoints_total{0};
  Count checkpoint_failures_total{0};
  Count archived_records_total{0};

  Count tail_cache_bytes{0};  // gauge
  Count segments_live{0};     // gauge
  Count segments_free{0};     // gauge: zero-filled or to be reused, the reserve included
  Count unsynced_batches{0};  // gauge
};

}  // namespace godwit::log
