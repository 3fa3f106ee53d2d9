#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/errc.h"
#include "common/log/types.h"

// What a log decides that hands partitions from process to process, apart from how it is done: Kafka's client and
// the simulated log follow the same rules, so that breaking one in the simulation breaks the real one.
//
// Threads  pure
// Source   docs/kafka.md, "Groups and transactions"
namespace godwit::log {

// What there is of a topic partition: from the oldest offset that is there to the high watermark.
struct Extent {
  Offset start = 0;
  Offset end = std::numeric_limits<Offset>::max();
};

// Where a new owner goes on reading a topic. `committed`: the group's position, negative: it has none; then
// `kept`, what the group keeps in its table, counts. What expired below either is passed: the answer is within
// the extent.
// Errors: kNotFound: no position, and records are gone; they may have been finished or not. Or a position behind the
// end: the records it counted are gone. An operator has to say.
[[nodiscard]] Result<Offset> first_offset(Offset committed, std::optional<Offset> kept,
                                          Extent extent);
[[nodiscard]] inline Result<Offset> first_offset(Offset committed, Offset start) {
  return first_offset(committed, std::nullopt, {.start = start});
}

// A table is replayed, read committed, up to an end at or above the high watermark that was there before. An end
// below it is that of the last stable offset: what an older owner left open hides records behind it.
struct Rebuild {
  Offset high_watermark = 0;
  [[nodiscard]] bool ends_at(Offset end) const { return end >= high_watermark; }
};

// What a local copy of a table partition says of itself: whose it is, how far it goes, and as of when.
struct CopyMark {
  std::string source;  // the cluster, the topic's id, the version of the index: three words
  Offset next = 0;
  Timestamp as_of;

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] static std::optional<CopyMark> from_text(std::string_view text);
};

// Half of the time for which a table's tombstones are kept: an older copy would raise the dead.
inline constexpr std::chrono::milliseconds kTombstonesKept = std::chrono::hours(24 * 7);
inline constexpr std::chrono::milliseconds kCopyAgeMax = kTombstonesKept / 2;

// Where replay goes on from a copy; nullopt: the copy is wiped and all of the table is read. A copy that goes further
// than the table, or not as far as its begin, is of another past.
[[nodiscard]] std::optional<Offset> reusable(const std::optional<CopyMark>& mark,
                                             std::string_view source, Timestamp now,
                                             Extent extent = {});

// How an attempt to commit a transaction came out.
enum class TransactionEnd : std::uint8_t {
  kCommitted,
  kAborted,   // nothing of it is there; again later
  kTooLarge,  // the same, and it never will be: one of its records
  kRejoined,  // the same, because the group has another generation; the partition may still be ours
  kFenced,    // nothing of it is there, and this process is no owner any more
  kUnknown,   // it may be there
};

// What follows from it for the commits that were in it.
struct TransactionVerdict {
  std::error_code code;  // they are answered with it; empty: they are written
  bool again = false;    // not answered yet: the same transaction again
  bool ends_ownership =
      false;  // of every partition in it; those commits that wait behind are fenced
  bool ends_producer = false;  // another one is begun, which ends what this one left open
};
[[nodiscard]] TransactionVerdict verdict_on(TransactionEnd end, bool time_is_over);

}  // namespace godwit::log
