#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/log/errc.h"
#include "common/log/segment.h"
#include "common/store/file.h"

namespace godwit::log {

// Reads one batch header. `buffer` is scratch. Errors: kIo.
[[nodiscard]] Result<Decoded> read_batch_header(const Segment& segment, std::uint32_t offset,
                                                BatchHeader& header, std::string& buffer);
// Reads a whole batch and verifies every run. kCorrupt names segment and position; kIo.
[[nodiscard]] Result<std::string> read_batch(const Segment& segment, const BatchHeader& header);

struct ScanOptions {
  store::FileSystem& files;
  std::filesystem::path directory;
  std::uint32_t capacity = 0;  // octets of a segment file
  // What the tables reflect: it was on disk, so everything before it must be there.
  StreamPosition checkpoint;
  std::uint64_t needed_from = 0;  // the oldest segment that must be there
  // Batches that begin here or later are read whole and verified; of older ones the headers are.
  StreamPosition verify_from;
  bool writes = true;  // false: changes nothing, opens for reading
  // Told where a batch that was synced cannot be read, when that is why the scan fails (repair).
  StreamPosition* damage = nullptr;
};

// What the segment files say.
struct Scan {
  std::vector<std::shared_ptr<Segment>> live;  // in order
  std::vector<FreeSegment> free;
  StreamPosition end;  // of the last batch
  std::uint64_t next_sequence = 1;
  // The last segment ends as it would after a clean stop: the next batch may follow. Otherwise something torn
  // lies behind `end`, and the next batch begins another segment.
  bool clean = true;
};

// Called for each batch, in order; `octets` when the batch was read whole.
using VisitBatch = std::function<Result<void>(const std::shared_ptr<Segment>&, const BatchHeader&,
                                              std::optional<std::string_view> octets)>;

// Finds the batches of all segments, decides where the log ends, and tells torn from corrupt:
// a batch that cannot be read is *torn* when nothing says that it was ever synced (it is cut, with what follows
// it) and *corrupt* when a later batch, the next segment or the checkpoint says that it was.
// Errors: kCorrupt (names segment and position; nothing was changed), kIo.
[[nodiscard]] Result<Scan> scan_segments(const ScanOptions& options, const VisitBatch& visit);

}  // namespace godwit::log
