#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "common/async/task.h"
#include "sender/content_reader.h"
#include "sender/environment.h"
#include "sender/journal.h"
#include "sender/kept_queue.h"
#include "sender/parked_feed.h"
#include "sender/partition_life.h"
#include "sender/queue_tally.h"
#include "sender/transfer.h"

namespace godwit::sender {

// The way of a delivery out of memory: ended, parked or moved elsewhere, into the journal.
//
//   at once         when the journal can have it as it is
//   queued          in order, when its content has to be fetched first to be parked, or the table failed
//   kept            when only the reserve of the log is left: parking would eat what endings need (decision 10).
//                   From the window it waits in memory, from the table its row stays as it was
//
// A delivery here is counted as waiting until its commit.
// Failure   content that will never be there: Dispatch::unreadable(). Everything else is tried again
// Threads   belongs to the shard
class Departures {
 public:
  Departures(Environment& environment, Dispatch& dispatch, PartitionLife& life, Journal& journal,
             ContentReader& content, ParkedFeed& parked, QueueTally& tally)
      : env_(environment),
        dispatch_(dispatch),
        life_(life),
        journal_(journal),
        content_(content),
        parked_(parked),
        tally_(tally),
        transfer_(environment, content) {}

  // `parked`: with what is left of it; otherwise nobody is left.
  void leave(DeliveryPtr delivery, std::vector<EventRecord> events, bool parked);
  // Sets it aside behind its lane's limits, in the order in which the lane's mail came. False: only
  // the reserve is left, it stays in memory and with the caller.
  [[nodiscard]] bool park_throttled(DeliveryPtr& delivery);

  // A command keeps it from being attempted: parked until that is over, with its due time as it is. While only the
  // reserve is left it is kept, or stays in the table as it was, and is looked at again soon.
  void suspend(DeliveryPtr delivery);

  // It goes on in another partition. False: only the reserve of the log is left, it stays with the caller.
  [[nodiscard]] bool move(DeliveryPtr& delivery, log::PartitionId to);

  // Of what is kept: what is to be tried again now. It counts as waiting no more.
  [[nodiscard]] std::vector<DeliveryPtr> take_kept() { return take_kept(env_.clock.now()); }
  [[nodiscard]] std::vector<DeliveryPtr> take_all_kept() { return take_kept(Timestamp::max()); }
  // Parks what is kept while there is room.
  void park_kept();
  // Of a partition that was lost: what came too late for the journal.
  void take_ended(EndedByDelivery& ended);
  // What waits in memory while only the reserve is left, or for its content to be fetched.
  template <class Visit>
  void visit(const Visit& visit) const {
    kept_.visit(visit);
    for (const Departure& one : queue_) {
      if (one.delivery) visit(*one.delivery);
    }
  }
  [[nodiscard]] Timestamp kept_until() const { return kept_.next(); }

  // Fetches content and parks what needs it, until the partition is flushed or lost.
  [[nodiscard]] async::Task<void> run();

 private:
  struct Departure {
    DeliveryPtr delivery;
    std::vector<EventRecord> events;
    bool parked = false;
    std::optional<log::PartitionId> to;  // moved there
    std::optional<log::Append> record;   // as this
  };
  enum class Fetched { kYes, kLater, kNever };

  [[nodiscard]] std::vector<DeliveryPtr> take_kept(Timestamp until);
  void push(Departure departure);
  [[nodiscard]] bool settle(Departure& departure);
  [[nodiscard]] async::Task<Fetched> fetch(Departure& departure);
  [[nodiscard]] bool take_room(QueuedDelivery& delivery);
  void postpone(DeliveryPtr delivery, const std::vector<EventRecord>& events);

  Environment& env_;
  Dispatch& dispatch_;
  PartitionLife& life_;
  Journal& journal_;
  ContentReader& content_;
  ParkedFeed& parked_;
  QueueTally& tally_;
  Transfer transfer_;
  std::deque<Departure> queue_;
  KeptQueue kept_;
};

}  // namespace godwit::sender
