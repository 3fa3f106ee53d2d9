#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/log/segment_format.h"
#include "common/store/file.h"

namespace godwit::log {

// What is in a segment, as far as it decides when the segment may be reused. Follows from batch headers alone,
// so a restart finds the same.
struct SegmentContent {
  struct Offsets {
    Offset first = 0;
    Offset next = 0;
  };
  std::map<TopicPartition, Offsets> records;  // of topics
  std::uint64_t oldest_reference =
      ~std::uint64_t{0};  // oldest segment any of its records refers to
  Timestamp last_time;
  Timestamp last_body_time;  // of the newest record of `bodies`; epoch: none

  void add(const BatchHeader& batch);
};

// One segment file in use: its number in the stream, its file, and what is in it.
//
// Threads  `content` and `end` belong to the commit thread until `sealed`, then nobody changes them
struct Segment {
  std::uint64_t number = 0;
  std::uint64_t nonce = 0;
  std::uint32_t capacity = 0;
  std::string file_name;
  std::unique_ptr<store::File> file;
  // A write or sync of it failed: its file is deleted rather than used again.
  bool suspect = false;

  // The oldest segment that any of its records refers to. Written by the commit thread before the record is
  // visible, read by the keeper at any time.
  std::atomic<std::uint64_t> oldest_reference{~std::uint64_t{0}};
  void refer_to(std::uint64_t segment) {
    if (segment < oldest_reference.load()) oldest_reference = segment;
  }

  std::uint32_t end = kPageBytes;  // where the next batch goes
  SegmentContent content;

  [[nodiscard]] StreamPosition position() const { return {number, end}; }
};

// A segment file that waits to be used.
struct FreeSegment {
  std::string file_name;
  std::unique_ptr<store::File> file;
};

}  // namespace godwit::log
