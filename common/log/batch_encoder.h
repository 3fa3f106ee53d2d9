#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/log/segment_format.h"
#include "common/log/write.h"

namespace godwit::log {

// Lays the writes of one batch out for one vectored write: records of one partition together, in the order they
// came; heads, keys and small values in a buffer of their own, larger values where they are.
//
// Lifecycle  construct (groups and sizes everything), then encode() once, then place() as often as the batch
//            has to be written
// Borrows    the writes, until it is destroyed
// Threads    belongs to one
class BatchEncoder {
 public:
  explicit BatchEncoder(std::vector<WritePtr>& writes);

  // Octets of the batch, with padding.
  [[nodiscard]] std::uint64_t bytes_padded() const { return round_up_to_page(length_); }
  [[nodiscard]] std::size_t record_count() const { return record_count_; }
  [[nodiscard]] std::size_t change_count() const { return change_count_; }

  // Gives offsets (next_offset returns where to count on) and checksums, fills Write::offsets.
  void encode(const std::function<Offset&(TopicPartition)>& next_offset, Timestamp time,
              std::uint64_t sequence, std::uint64_t oldest_reference);
  // Says where it goes. The pieces, padding included, may be written until the next call.
  [[nodiscard]] const std::vector<std::string_view>& place(StreamPosition position,
                                                           std::uint64_t nonce,
                                                           StreamPosition synced);
  [[nodiscard]] const BatchHeader& header() const { return header_; }

  // The records of `run`, one of header().runs. With `move` keys and values leave the writes: only when the
  // batch is never placed again.
  [[nodiscard]] std::vector<Record> records_of(const Run& run, bool move);

 private:
  struct Item {
    std::uint64_t order;  // kind, topic and partition: equal within a run
    Write* write;
    std::uint32_t index;    // in the write's appends, changes or positions
    std::uint32_t arrival;  // keeps the order within a run
  };
  [[nodiscard]] std::size_t bytes_of(const Item& item) const;
  void begin_run(const Item& item, const std::function<Offset&(TopicPartition)>& next_offset);
  void encode_item(const Item& item);
  void encode_value(const Rope& value);
  void close_piece();

  std::vector<Item> items_;
  std::size_t run_count_ = 0;
  std::size_t record_count_ = 0;
  std::size_t change_count_ = 0;
  std::uint64_t length_ = 0;
  std::size_t buffer_bytes_ = 0;

  BatchHeader header_;
  std::vector<std::size_t> run_begin_;  // first item of each run
  std::string head_;
  std::string buffer_;
  std::size_t piece_begin_ = 0;  // of the piece of buffer_ that is still open
  std::vector<std::string_view> pieces_;
};

}  // namespace godwit::log
