#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/commands/command.h"
#include "common/log/types.h"

// Queued deliveries, one by one, for operators. What is being committed at the moment of the question may be missing.
namespace godwit::admin {

enum class DeliveryState : std::uint8_t {
  kWaiting = 1,    // in memory, for its turn
  kActive = 2,     // a connection has it
  kParked = 3,     // for its due time, or behind its lane's limits
  kSuspended = 4,  // by a command
  kHeld = 5,       // for an operator's decision about each of its recipients
};
[[nodiscard]] std::string_view state_name(DeliveryState state);  // "waiting"

struct DeliveryRow {
  DeliveryId id;
  log::PartitionId partition = 0;
  DeliveryState state = DeliveryState::kWaiting;
  std::string tenant;
  std::string domain;
  std::string site;
  std::string pool;
  bool urgent = false;
  std::vector<std::string> tags;
  std::uint32_t recipients = 0;
  std::uint64_t bytes = 0;  // of content
  Timestamp accepted;
  Timestamp due;  // epoch: at once

  bool operator==(const DeliveryRow&) const = default;
};

struct DeliveryList {
  std::vector<DeliveryRow> rows;  // the oldest first, at most what was asked for
  std::uint64_t deliveries = 0;   // that fit; before rows_max
  std::uint64_t recipients = 0;
  std::uint64_t bytes = 0;
  Timestamp oldest_accepted;  // epoch: none fits

  // One more that fits.
  void add(DeliveryRow row, std::size_t rows_max);
};
// Of several partitions or processes.
[[nodiscard]] DeliveryList merge(std::vector<DeliveryList> parts, std::size_t rows_max);

struct DeliveryDetails {
  DeliveryRow row;
  std::string sender;
  struct Recipient {
    std::string address;
    std::uint32_t index = 0;
    std::uint32_t held = 0;  // since that attempt; 0: not held
    bool operator==(const Recipient&) const = default;
  };
  std::vector<Recipient> recipients;
  Timestamp expires;
  std::uint32_t attempts = 0;  // that ended
  std::string last_reply;      // "450 4.2.0 later (MAIL)"; empty: there was none
  std::string last_class;
  bool throttled = false;            // waits behind its lane's limits
  std::string command;               // that keeps it: "suspend 0190...: reason"; empty: none does
  std::vector<std::string> history;  // "2026-11-22 19:10:44 placement: from mx:a default"

  bool operator==(const DeliveryDetails&) const = default;
};

// A role that keeps deliveries.
//
// Threads    called on threads of the admin server, several at a time; may block while an index is scanned
class DeliverySource {
 public:
  virtual ~DeliverySource() = default;
  // Those that fit; an empty filter: all. Its source is not compared. Errors: kBusy.
  [[nodiscard]] virtual Result<DeliveryList> deliveries(const commands::Filter& filter,
                                                        std::size_t rows_max) = 0;
  // nullopt: it is not here. Errors: kBusy, the table's.
  [[nodiscard]] virtual Result<std::optional<DeliveryDetails>> delivery(const DeliveryId& id) = 0;
};

}  // namespace godwit::admin
