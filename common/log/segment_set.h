#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/log/counters.h"
#include "common/log/segment.h"
#include "common/store/file.h"

namespace godwit::log {

// The segment files: those in use, in the order of the stream, and those that wait.
//
// Ordering  numbers of segments in use follow each other without a gap; they are freed from the front only
// Threads   any. The commit thread takes, the keeper makes and frees
class SegmentSet {
 public:
  SegmentSet(store::FileSystem& files, std::filesystem::path directory, std::uint32_t capacity,
             Counters& counters);

  // Recovery.
  void add_live(std::shared_ptr<Segment> segment);
  void add_free(FreeSegment segment);

  // Makes one more file of zeros, synced. Errors: kNoSpace, kIo.
  [[nodiscard]] Result<void> make();
  // Begins a new segment at the end of the stream: its header is written, not synced. nullptr: no file waits.
  // Errors: kIo (the file is left out from then on).
  [[nodiscard]] Result<std::shared_ptr<Segment>> begin();
  // The oldest segment is not needed any more: its header says so, on disk, before the file may be taken again.
  // Nobody else holds it.
  [[nodiscard]] Result<void> recycle_oldest();
  // Gives a waiting file back to the disk, never below `keep`. False: there is none.
  [[nodiscard]] bool give_back(std::size_t keep);

  [[nodiscard]] std::size_t free() const;
  [[nodiscard]] std::vector<std::shared_ptr<Segment>> live() const;
  [[nodiscard]] std::shared_ptr<Segment> oldest() const;
  [[nodiscard]] std::uint64_t newest_number() const;
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }

 private:
  void count_locked();

  store::FileSystem& files_;
  const std::filesystem::path directory_;
  const std::uint32_t capacity_;
  Counters& counters_;

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Segment>> live_;
  std::vector<FreeSegment> free_;
  std::uint64_t last_number_ = 0;
  std::uint32_t next_file_ = 0;
};

}  // namespace godwit::log
