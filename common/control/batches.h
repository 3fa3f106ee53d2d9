#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/control/objects.h"
#include "common/log/log.h"

// The table `control`: batches of rows of which only whole ones count (docs/formats/control.md).
// Everything follows from the rows that are there, never from the order in which they came: so a reader that joins
// late, a compacted topic and two appliers at once all come to the same. Pure, but for read().
namespace godwit::control {

// Its place among all batches: a higher sequence wins; of two with the same one (made at the same moment by two
// processes) the higher number.
struct BatchId {
  std::uint64_t sequence = 0;
  std::uint64_t number = 0;  // random
  auto operator<=>(const BatchId&) const = default;
  [[nodiscard]] std::string to_text() const;  // "000000000000002a-8f0e...": 33 characters
  [[nodiscard]] static std::optional<BatchId> from_text(std::string_view text);
};

inline constexpr std::string_view kBatchPrefix = "b/";
inline constexpr std::string_view kObjectPrefix = "o/";
[[nodiscard]] std::string batch_key(const BatchId& id);  // "b/<batch>"
[[nodiscard]] std::string object_key(const ObjectName& object,
                                     const BatchId& id);  // "o/<kind>/<name>/<batch>"

// All rows of the table at one moment.
class BatchTable {
 public:
  // Errors: those of the table.
  [[nodiscard]] static Result<BatchTable> read(const log::Table& table);
  // For tests and read(): a row. What is not understood is kept out and named in problems().
  void add(std::string_view key, std::string_view value);

  // What is in force: of each object the state of its newest whole batch.
  [[nodiscard]] Objects objects() const;
  // True when no whole batch is there.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] bool is_whole(const BatchId& id) const;
  // Highest of any row, and of whole batches.
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  [[nodiscard]] std::uint64_t version() const;
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  // The changes of a new batch, its marker last, with the next sequence. When superseded rows outnumber those
  // in force by far, everything in force is written again with it, so that old batches can go.
  struct Wanted {
    const Objects& put;
    const std::vector<ObjectName>& removed;
    Timestamp now;
    std::string actor;
    std::string node;
  };
  struct NewBatch {
    BatchId id;
    std::vector<log::TableChange> changes;
  };
  [[nodiscard]] NewBatch write(const Wanted& wanted, Random& random) const;

  // Tombstones for what nobody needs: batches whose every row is superseded by a whole batch, markers first;
  // what a process that died left behind, once it is old. Safe to be cut off anywhere and to be done by several
  // at once.
  [[nodiscard]] std::vector<log::TableChange> garbage(Timestamp now) const;

 private:
  struct Row {
    std::string key;
    ObjectName object;
    bool removed = false;
    bool readable = false;  // by this version
    std::string data;       // the object's message
    std::string value;      // the row as stored
  };
  struct Batch {
    std::optional<std::uint32_t> count;  // the marker's
    std::int64_t time_unix_ms = 0;       // of its newest row
    std::map<std::string, Row> rows;     // by key
    [[nodiscard]] bool whole() const { return count && *count == rows.size(); }
  };
  using Newest =
      std::map<std::string, BatchId>;  // object's key without the batch: its newest whole batch
  [[nodiscard]] Newest newest() const;
  void add_object(std::string_view key, std::string_view value);
  void add_marker(std::string_view key, std::string_view value);

  std::map<BatchId, Batch> batches_;
  std::uint64_t sequence_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace godwit::control
