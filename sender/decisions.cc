#include "sender/decisions.h"

#include <utility>

#include "common/observe/log.h"
#include "sender/parked_index.h"

namespace godwit::sender {

namespace {

constexpr observe::Logger kLog{"sender"};

}  // namespace

async::Task<bool> Decisions::run(Settlement::Context context) {
  bool any = false;
  std::vector<DeliveryPtr> waiting = std::exchange(waiting_, {});
  for (DeliveryPtr& decision : waiting) {
    if (co_await carry_out(*decision, context)) {
      any = true;
    } else {
      waiting_.push_back(std::move(decision));
    }
  }
  co_return any;
}

async::Task<bool> Decisions::carry_out(const QueuedDelivery& decision,
                                       Settlement::Context context) {
  std::optional<DeliveryPtr> taken = co_await parked_.take(decision.id);
  if (!taken) co_return false;
  const v1::Decision& said = decision.record.head.decision();
  if (*taken) {
    DeliveryPtr& delivery = *taken;
    const DeliveryId id = delivery->id;
    const QueueTally::Share before = QueueTally::share_of(*delivery);
    const DueEntry as_it_is{look_at(delivery->record.head), id};
    const Settlement settlement =
        Settlement::of_decision(*delivery, said, decision.record.envelope, context);
    if (settlement.held() > 0) {
      const QueueTally::Share after = QueueTally::share_of(*delivery);
      const bool finished = settlement.finished();
      const auto added =
          journal_.add_decided(*decision.slot, delivery, settlement.events(),
                               finished ? Journal::After::kFinished : Journal::After::kParked);
      if (!added) {  // it is read again, as it was
        parked_.postponed(as_it_is);
        co_return false;
      }
      tally_.remove(QueueTally::State::kParked, before);
      if (!finished) tally_.add(QueueTally::State::kWaiting, after);  // until it is committed
      env_.metrics.decided(said.what(), settlement.held());
      co_return true;
    }
    parked_.postponed(as_it_is);
  }
  kLog.info("a decision about mail that is not held any more",
            {{"delivery", decision.id.to_text()}});
  journal_.add_idle(*decision.slot);
  co_return true;
}

}  // namespace godwit::sender
