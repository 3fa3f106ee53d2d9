#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/async/gate.h"
#include "common/async/task.h"
#include "common/record/records.h"
#include "sender/dead_records.h"
#include "sender/departures.h"
#include "sender/environment.h"
#include "sender/journal.h"
#include "sender/lane_book.h"
#include "sender/partition_life.h"
#include "sender/window.h"

namespace godwit::log {
class Ownership;
}

namespace godwit::sender {

// The windows of one partition: of `outbound.urgent` and of `outbound`.
struct Windows {
  Window urgent;
  Window bulk;
  [[nodiscard]] Window& of(log::Topic topic) {
    return topic == log::Topic::kOutboundUrgent ? urgent : bulk;
  }
};
// They continue at the committed positions.
[[nodiscard]] Windows make_windows(const log::Ownership& ownership, const WindowConfig& config);

// Reads deliveries of one partition from the log, urgent ones first, as far as the windows have room, and hands
// them to `accept`.
//
// Failure   a record that cannot be decoded goes to `dead`; what fetches its content is in the gate `burials`.
//           A log that cannot be read is asked again
// Bound     when a window stays full for window.patience, the mail of its class of the lane that holds most of it
//           is set aside, so that the others' mail behind it in the partition gets its turn
// Threads   belongs to the shard
class Intake {
 public:
  using Accept = std::function<void(DeliveryPtr)>;

  Intake(Environment& environment, log::Ownership& ownership, PartitionLife& life, Windows& windows,
         Journal& journal, LaneBook& lanes, Departures& departures, DeadRecords& dead,
         async::Gate& burials, Accept accept);

  // Before run(): what was finished beyond the positions, and rows `s/`: what an owner before us left
  // of deliveries that it could not park.
  void restore(const std::optional<v1::FinishedPositions>& finished,
               std::map<std::string, record::Delivery> slots);
  // Until the partition drains.
  [[nodiscard]] async::Task<void> run();

 private:
  [[nodiscard]] bool take_from(log::Topic topic);
  void skip_corrupt(log::Reader& reader, log::Topic topic, const Error& error);
  void consume(log::Topic topic, const log::Record& record);
  void resume_state(QueuedDelivery& delivery);
  void relieve(bool urgent);
  [[nodiscard]] async::Task<void> bury(WindowSlot slot, std::string key, Rope value, Error error);

  Environment& env_;
  log::Ownership& ownership_;
  PartitionLife& life_;
  const log::PartitionId partition_;
  Windows& windows_;
  Journal& journal_;
  LaneBook& lanes_;
  Departures& departures_;
  DeadRecords& dead_;
  async::Gate& burials_;
  Accept accept_;
  std::map<std::string, record::Delivery> slot_states_;  // whose record was not read yet
  Instant urgent_full_since_ = Instant::max();
  Instant bulk_full_since_ = Instant::max();
  // Callbacks of the log may outlive us.
  std::shared_ptr<PartitionLife*> self_ = std::make_shared<PartitionLife*>(&life_);
};

}  // namespace godwit::sender
