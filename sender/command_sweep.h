#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "common/async/task.h"
#include "sender/environment.h"
#include "sender/orders.h"
#include "sender/parked_feed.h"

namespace godwit::log {
class Table;
}

namespace godwit::sender {

// Goes through what is parked in one partition when commands change, and gives what has to be looked at: cancelled,
// due at once, or suspended no longer. It asks the index; only what it gives is read.
//
// Limits    kEntriesAtOnce entries and kDeliveriesAtOnce deliveries a call; none while ParkedFeed has no room
// Failure   a table that cannot be read is asked again at the next call
// Threads   belongs to one shard; the table is read in the blocking pool
class CommandSweep {
 public:
  static constexpr std::size_t kEntriesAtOnce = 4096;
  static constexpr std::size_t kDeliveriesAtOnce = 256;

  CommandSweep(Environment& environment, const log::Table& retries, log::PartitionId partition,
               Orders& orders, ParkedFeed& parked)
      : env_(environment),
        retries_(retries),
        partition_(partition),
        orders_(orders),
        parked_(parked) {}

  // From the beginning, with the commands as they are then.
  void begin();
  // That one too: it was parked while commands came, and the scan may have passed its place.
  void look_at(const DeliveryId& id) { late_.insert(id); }
  [[nodiscard]] bool busy() const { return under_way_ || !late_.empty(); }

  // What it found next; they count as active. carried_out() follows.
  [[nodiscard]] async::Task<std::vector<DeliveryPtr>> next();
  // What next() gave was handled. When that was the last, Orders is told.
  void carried_out();

 private:
  [[nodiscard]] async::Task<std::vector<DeliveryPtr>> next_late(std::size_t room);

  Environment& env_;
  const log::Table& retries_;
  const log::PartitionId partition_;
  Orders& orders_;
  ParkedFeed& parked_;
  bool under_way_ = false;
  bool at_end_ = false;      // what is still to be handled was the last
  std::uint64_t round_ = 0;  // rises with begin()
  std::string cursor_;
  commands::CommandSetPtr set_;
  std::unordered_set<DeliveryId> late_;  // at most what a journal and the parking queue hold
};

}  // namespace godwit::sender
