#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::record {
struct Event;
}

// Reading the public record of what happened: the topic `events`.
namespace godwit::accounting {

// Which events are wanted. Everything empty: all of them.
struct EventQuery {
  Timestamp since{};       // by the log's time of the record
  bool only_new = false;   // nothing that is retained, only what comes
  bool follow = false;     // go on with what comes until cancelled
  std::vector<int> types;  // numbers of godwit.v1.EventType
  std::string tenant;
  std::optional<MessageId> message;
  std::string recipient;  // address, or "@domain"; compared without regard to case
  std::string site;

  // Whether an event passes the filters (not the times).
  [[nodiscard]] bool matches(const record::Event& event) const;
};

struct EventAt {
  log::PartitionId partition = 0;
  log::Offset offset = 0;
  const record::Event& event;
};

// Takes one event; false: enough, or nobody is there any more.
using VisitEvent = std::function<bool(const EventAt&)>;

// Visits the events that match, each once: those retained, partition by partition as the log holds
// them, then with `follow` those to come, without a gap between the two.
//
// Output     when it returns without an error, everything wanted was visited, or somebody said
//            enough
// Errors     those of Log::history and Reader::take. A record that is no event is passed over
// Limits     holds at most 64 records or 1 MiB of each partition at a time
// Threads    blocks; `cancelled` is asked at least every 250 ms and between records
[[nodiscard]] Result<void> read_events(log::Log& log, const EventQuery& query,
                                       const VisitEvent& visit,
                                       const std::function<bool()>& cancelled);

}  // namespace godwit::accounting
