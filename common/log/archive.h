#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/log/counters.h"
#include "common/log/embedded.h"
#include "common/log/segment.h"

namespace godwit::log {

// What outlives its segment: events, and as much of other records as the ArchivePolicy keeps.
//
// Files of about kFileBytes, in the format of segments: batches of records, each with the time it was written
// in front of its key. They are only appended to, and deleted whole when their newest record is past retention.
// A segment's records are in the archive as a whole or, after a crash, not at all: the batches behind the last
// one that ends a segment are written over.
//
// Durability  add() returns when what it added is on disk
// Threads     add(), expire(): one at a time; visit(): any
class Archive {
 public:
  static constexpr std::uint32_t kFileBytes = 64u << 20;

  Archive(store::FileSystem& files, std::filesystem::path directory, ArchivePolicy policy,
          std::chrono::hours retention, Counters& counters, const Clock& clock);

  // Finds what is there. Errors: kCorrupt, kIo.
  [[nodiscard]] Result<void> open(bool writes);
  // Does nothing for a segment that was added before. Errors: kNoSpace, kIo, kCorrupt (of the segment).
  [[nodiscard]] Result<void> add(const Segment& segment);
  // Deletes files that are past retention.
  void expire();

  // The newest segment whose records are here.
  [[nodiscard]] std::uint64_t archived_through() const;
  // Each partition's records oldest first, as long as `visit` returns true; `more` says whether it did.
  [[nodiscard]] Result<void> visit(Topic topic, Timestamp since, const VisitHistory& visit,
                                   bool& more) const;

 private:
  struct Entry {
    TopicPartition where;
    Offset offset = 0;
    Timestamp time;
    std::string key;
    std::string value;
  };
  [[nodiscard]] Result<void> open_file(const std::string& name, bool writes);
  [[nodiscard]] Result<void> begin_file();
  [[nodiscard]] Result<std::vector<Entry>> collect(const Segment& segment) const;
  [[nodiscard]] Result<void> write(std::vector<Entry> entries, std::uint64_t source, bool last);
  [[nodiscard]] Result<void> write_entries(std::vector<Entry> entries, std::uint64_t source);

  store::FileSystem& files_;
  const std::filesystem::path directory_;
  const ArchivePolicy policy_;
  const std::chrono::hours retention_;
  Counters& counters_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Segment>> archives_;  // `number` counts the files
  std::uint64_t archived_through_ = 0;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace godwit::log
