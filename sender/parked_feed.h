#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/async/task.h"
#include "common/log/types.h"
#include "sender/due_queue.h"
#include "sender/environment.h"
#include "sender/lane_book.h"

namespace godwit::log {
class Table;
}

namespace godwit::sender {

// Brings parked deliveries of one partition back from the table: when they are due, or when their slow lane has
// room again. What it gave counts as active until left() or postponed().
//
// Limits    window.parked deliveries active; half of that is kept for what is due by time
// Failure   a table that cannot be read is asked again a second later; a row that cannot be decoded stays where it
//           is, and an error is logged
// Threads   belongs to one shard; the table is read in the blocking pool
class ParkedFeed {
 public:
  ParkedFeed(Environment& environment, const log::Table& retries, log::PartitionId partition,
             LaneBook& lanes)
      : env_(environment), retries_(retries), partition_(partition), lanes_(lanes) {}

  // What is due now.
  [[nodiscard]] async::Task<std::vector<DeliveryPtr>> take_due();

  // That one, whenever it is due. nullopt: not now, it is in memory or the table cannot be read; null: it is not
  // there.
  [[nodiscard]] async::Task<std::optional<DeliveryPtr>> take(DeliveryId id);

  // Those of them that are in no memory now; nullopt: the table cannot be read.
  [[nodiscard]] async::Task<std::optional<std::vector<DeliveryPtr>>> take_these(
      std::vector<DeliveryId> ids);
  // How many more may be taken that are not due by time.
  [[nodiscard]] std::size_t room() const;

  // A class of a lane's mail that has a backlog and little left in memory.
  struct Room {
    LaneId lane;
    bool urgent = false;
  };
  // Those of urgent mail first.
  [[nodiscard]] std::vector<Room> lanes_with_room();
  // The next of what waits behind the limits of such a lane; when nothing does any more, the backlog ends.
  [[nodiscard]] async::Task<std::vector<DeliveryPtr>> take_waiting(Room room);

  // The commit that parks it is acknowledged.
  void parked(const DueEntry& entry) { due_.parked(entry); }
  // It is not in memory any more: ended, or parked again.
  void left(const DeliveryId& id) { active_.erase(id); }
  // The same, and its row stays as it was: only here is it known when to look at it.
  void postponed(const DueEntry& entry);

  // When take_due() may have something.
  [[nodiscard]] Timestamp next(Timestamp now) const { return due_.next(now); }

 private:
  [[nodiscard]] async::Task<void> scan_due();
  [[nodiscard]] async::Task<std::vector<DeliveryPtr>> fetch(std::vector<DeliveryId> ids,
                                                            bool* failed = nullptr);

  Environment& env_;
  const log::Table& retries_;
  const log::PartitionId partition_;
  LaneBook& lanes_;
  DueQueue due_;
  std::size_t wanting_ = 1;                // backlogs that share the room
  std::unordered_set<DeliveryId> active_;  // from the table, in memory or in the journal
};

}  // namespace godwit::sender
