#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/admin/types.h"
#include "common/async/gate.h"
#include "sender/command_sweep.h"
#include "sender/content_reader.h"
#include "sender/dead_records.h"
#include "sender/decisions.h"
#include "sender/departures.h"
#include "sender/environment.h"
#include "sender/intake.h"
#include "sender/journal.h"
#include "sender/journal_writer.h"
#include "sender/lane_book.h"
#include "sender/orders.h"
#include "sender/parked_feed.h"
#include "sender/partition_life.h"
#include "sender/queue_tally.h"
#include "sender/queue_view.h"
#include "sender/restored_state.h"

namespace godwit::sender {

// One partition of `outbound` and `outbound.urgent` that this process owns, from assignment to release. The
// conductor: what each part does is in its own header.
//
//   Intake          reads what the windows have room for         -> accept()
//   accept()        a delivery goes to its lane, or has to wait  -> Lane, Departures
//   Lane, Courier   attempt it                                   -> Dispatch: attempted() and the others below
//   Departures      what ended and what waits longer             -> Journal
//   JournalWriter   commits it, with the positions               -> acknowledged()
//   ParkedFeed      what is due, or has room in its lane again   -> accept()
//   Decisions       what operators say about held recipients     -> Journal
//   Orders          what operators say about queued mail: asked in accept(), before each attempt and when it is parked
//   CommandSweep    what of the parked mail that is about         -> carry_out()
//
// Claim      row `!owner` of the table is written before the first attempt and goes with the last commit. Whoever
//            finds it there follows an owner that did not finish: limiters start without burst. When it is our
//            own, nobody was here meanwhile: ended attempts whose commit was not acknowledged are committed now
// Order      effects before positions, the log before memory: a parked delivery is due only after the commit
//            that holds it; a window slot is finished in the same commit as the events
// Failure    when the partition is lost (fenced, or an answer that never came) everything stops where it is
// Lifecycle  start(); stop(deadline) ends it: no new transaction, those under way are waited for until the
//            deadline, then broken off; the last commit; destroy afterwards
// Threads    belongs to the shard; problem() any
class PartitionOwner final : public Dispatch {
 public:
  PartitionOwner(Environment& environment, std::shared_ptr<log::Ownership> ownership);
  ~PartitionOwner() override;

  void start();
  // No new transaction from here on; stop() follows.
  void drain();
  [[nodiscard]] async::Task<void> stop(Instant deadline);
  // Another may own the partition: nothing is written any more.
  void lost(std::string why = "lost the partition");

  [[nodiscard]] log::PartitionId partition() const { return partition_; }
  [[nodiscard]] std::string problem() const { return life_.problem(); }
  [[nodiscard]] admin::QueueSummary summary(const admin::QueueQuery& query) const;

  // For operators: the deliveries one by one. Not called back: the partition is being given back.
  template <class Answer>
  using Answered = std::move_only_function<void(Result<Answer>)>;
  void list(commands::Filter filter, std::size_t rows_max, Answered<admin::DeliveryList> answered);
  void show(DeliveryId id, Answered<std::optional<admin::DeliveryDetails>> answered);

  // Dispatch
  [[nodiscard]] bool may_begin() const override;
  [[nodiscard]] bool may_send() const override { return writer_.may_send(); }
  [[nodiscard]] bool draining() const override { return life_.draining(); }
  [[nodiscard]] async::StopSignal& drained() override { return life_.drained(); }
  [[nodiscard]] async::StopSignal& abort() override { return life_.abort(); }
  [[nodiscard]] std::optional<control::LaneShare> share_of(const LaneId& lane) const override;
  [[nodiscard]] async::Task<Result<void>> load_content(QueuedDelivery& delivery,
                                                       Instant share_by) override {
    return content_.load(delivery, share_by);
  }
  [[nodiscard]] async::Task<bool> commit_token(const LaneId& lane) override;
  [[nodiscard]] bool is_withheld(const QueuedDelivery& delivery) override {
    return orders_.verdict(delivery) != nullptr;
  }
  [[nodiscard]] bool withhold(DeliveryPtr& delivery) override { return obey(delivery); }
  [[nodiscard]] bool is_barred(const QueuedDelivery& delivery, const SourceName& source) override {
    return orders_.barred(delivery, source);
  }
  void taken(const QueuedDelivery& delivery) override;
  void given_back(const QueuedDelivery& delivery) override;
  void attempted(DeliveryPtr delivery, const AttemptReport& report) override;
  void expired(DeliveryPtr delivery) override;
  void unreadable(DeliveryPtr delivery, const Error& error) override;

 private:
  [[nodiscard]] async::Task<void> run();
  [[nodiscard]] async::Task<Result<void>> restore();
  void claim(const RestoredState& restored);
  void keep_ended();
  [[nodiscard]] async::Task<void> wait_for_commands();
  void accept(DeliveryPtr delivery);
  [[nodiscard]] bool is_cancelled(const QueuedDelivery& delivery);
  [[nodiscard]] bool obey(DeliveryPtr& delivery);
  [[nodiscard]] bool cancel(DeliveryPtr& delivery, const commands::Command& command);
  void cancel_rest(QueuedDelivery& delivery, Settlement& settlement);
  void look_at_orders();
  [[nodiscard]] async::Task<void> sweep_parked();
  void carry_out(DeliveryPtr parked);
  void enter_lane(DeliveryPtr delivery);
  [[nodiscard]] bool move(DeliveryPtr& delivery);
  [[nodiscard]] bool settle_ended(DeliveryPtr& delivery);
  [[nodiscard]] Settlement::Context context() const;
  [[nodiscard]] Settlement::Context context_of(const QueuedDelivery& delivery) const;
  [[nodiscard]] async::Task<void> bring_back();
  void rank_domains();
  void move_strays();
  void bring_stalled();
  void bring_kept();
  [[nodiscard]] async::Task<void> bring_due();
  [[nodiscard]] async::Task<void> refill_lanes();
  [[nodiscard]] async::Task<void> decide();
  void acknowledged(Journal::Sealed& sealed);

  Environment& env_;
  std::shared_ptr<log::Ownership> ownership_;
  const log::PartitionId partition_;
  log::Table& retries_;
  PartitionLife life_;
  Windows windows_;
  QueueTally tally_;
  Journal journal_;
  async::Gate couriers_;
  LaneBook lanes_;
  ContentReader content_;
  ParkedFeed parked_;
  Departures departures_;
  Orders orders_;
  CommandSweep sweep_;
  QueueView view_;
  Decisions decisions_;
  DeadRecords dead_;
  async::Gate loops_;
  Intake intake_;
  JournalWriter writer_;
  bool claimed_ = false;              // the log knows that we are here: the next owner will
  EndedByDelivery ended_;             // attempts of this process that the log may not have
  std::vector<DeliveryPtr> stalled_;  // content could not be read now
  Instant ranks_at_{};                // when domains are looked at again
};

}  // namespace godwit::sender
