#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/log/log.h"
#include "godwit/v1/delivery.pb.h"

// The local index of the table `retries`: parked deliveries by time, by lane and by content. The entries are
// derived from the d/ records, live in RocksDB only, and sort as their octets do.
//
//   q <time> <id>                          when to look at it: due time, or expiry when that comes first or
//                                          when it waits for its lane, or for an operator, and not for a time
//   l <site> 0 <pool> 0 d <due> <id> <row> waits for its due time
//   l <site> 0 <pool> 0 t <due> <id> <row> bulk mail, waits behind its lane's limits
//   l <site> 0 <pool> 0 u <due> <id> <row> urgent mail, waits behind its lane's limits
//   l <site> 0 <pool> 0 s <due> <id> <row> suspended by a command
//   u <content id> <index>                 the parked deliveries that share one content
//
// time and due are 8 octets big-endian milliseconds, <id> is message id (16) and index (4, big-endian).
namespace godwit::sender {

// Of GroupSpec::indexer: raise the version when the entries change.
inline constexpr std::uint32_t kParkedIndexVersion = 5;
// Recipients that wait for an operator.
[[nodiscard]] std::uint32_t held_in(const v1::Envelope& envelope);
// Pure; a value that does not parse has no entries.
void index_retries(std::string_view key, std::string_view value, const log::Emit& emit);

// An entry by time.
struct DueEntry {
  Timestamp at;
  DeliveryId id;
  auto operator<=>(const DueEntry&) const = default;
};
[[nodiscard]] std::string due_key(const DueEntry& entry);
[[nodiscard]] std::string due_bound(Timestamp at);  // before every entry of that time
[[nodiscard]] std::optional<DueEntry> parse_due(std::string_view entry);

// An entry by lane, with what the queue's counters need, and what commands are compared with.
struct LaneEntry {
  LaneId lane;
  bool throttled = false;
  bool suspended = false;
  bool urgent = false;
  Timestamp due;
  DeliveryId id;
  Timestamp accepted;
  std::uint32_t recipients = 0;
  std::uint32_t held = 0;   // of them, until an operator decides
  std::uint64_t bytes = 0;  // of its content
  std::string tenant;
  std::string domain;
  std::vector<std::string> tags;
};
[[nodiscard]] std::optional<LaneEntry> parse_lane(std::string_view entry);
// Everything by lane: [lanes_begin(), lanes_end()). What of a class waits behind one lane's limits:
// [waiting_begin(lane, urgent), waiting_end(lane, urgent)); behind a known entry: entry + '\0'.
[[nodiscard]] std::string lanes_begin();
[[nodiscard]] std::string lanes_end();
[[nodiscard]] std::string waiting_begin(const LaneId& lane, bool urgent);
[[nodiscard]] std::string waiting_end(const LaneId& lane, bool urgent);

// The parked deliveries of one content: [begin, end).
[[nodiscard]] std::string content_users_begin(const MessageId& content);
[[nodiscard]] std::string content_users_end(const MessageId& content);
[[nodiscard]] std::optional<DeliveryId> parse_content_user(std::string_view entry);

// When a parked delivery has to be looked at next.
[[nodiscard]] Timestamp look_at(const v1::Delivery& parked);

}  // namespace godwit::sender
