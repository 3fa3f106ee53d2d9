#pragma once

#include <vector>

#include "common/async/task.h"
#include "sender/environment.h"
#include "sender/journal.h"
#include "sender/parked_feed.h"
#include "sender/queue_tally.h"

namespace godwit::sender {

// Carries out what operators decide about recipients that are held (proto Decision): they are tried again at once, or
// end as delivered or bounced. A decision comes through the window like a delivery, and is finished in the commit that
// holds what follows from it: it counts once.
//
// Late      what is not held here any more was decided before, or has expired: nothing follows
// Failure   a delivery in an attempt, or a table that cannot be read: again at the next run
// Threads   belongs to the shard
class Decisions {
 public:
  Decisions(Environment& environment, Journal& journal, ParkedFeed& parked, QueueTally& tally)
      : env_(environment), journal_(journal), parked_(parked), tally_(tally) {}

  void add(DeliveryPtr decision) { waiting_.push_back(std::move(decision)); }
  // True when something was journaled.
  [[nodiscard]] async::Task<bool> run(Settlement::Context context);

 private:
  // True: it is journaled.
  [[nodiscard]] async::Task<bool> carry_out(const QueuedDelivery& decision,
                                            Settlement::Context context);

  Environment& env_;
  Journal& journal_;
  ParkedFeed& parked_;
  QueueTally& tally_;
  std::vector<DeliveryPtr> waiting_;  // as many as the windows have room for
};

}  // namespace godwit::sender
