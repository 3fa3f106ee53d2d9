#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/admin/types.h"
#include "common/async/event.h"
#include "common/async/gate.h"
#include "common/async/stop_signal.h"
#include "sender/content_reader.h"
#include "sender/environment.h"
#include "sender/journal.h"
#include "sender/kept_queue.h"
#include "sender/lane_book.h"
#include "sender/parked_feed.h"
#include "sender/queue_tally.h"
#include "sender/window.h"

namespace godwit::sender {

// One partition of `outbound` and `outbound.urgent` that this process owns, from assignment to release.
//
//   reading   urgent first, reads what the window has room for and hands it to the lanes
//   parking   gives the journal what has to wait, with its content
//   due       brings parked deliveries back when they are due, or when their slow lane has room again
//   commit    every commit_interval, what ended and what was parked, with the positions (Journal)
//
// Order      effects before positions, the log before memory: a parked delivery is due only after the commit
//            that holds it; a window slot is finished in the same commit as the events
// Failure    a commit that was not written is repeated until it is; after commit_age_max nothing new is begun.
//            When the partition is lost (fenced, or an answer that never came) everything stops where it is
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
  [[nodiscard]] std::string problem() const;
  [[nodiscard]] admin::QueueSummary summary(const admin::QueueQuery& query) const;

  // Dispatch
  [[nodiscard]] bool may_begin() const override;
  [[nodiscard]] bool draining() const override { return draining_; }
  [[nodiscard]] async::StopSignal& drained() override { return drained_; }
  [[nodiscard]] async::StopSignal& abort() override { return abort_; }
  [[nodiscard]] async::Task<Result<void>> load_content(QueuedDelivery& delivery) override {
    return content_.load(delivery);
  }
  void taken(const QueuedDelivery& delivery) override;
  void given_back(const QueuedDelivery& delivery) override;
  void attempted(DeliveryPtr delivery, const AttemptReport& report) override;
  void expired(DeliveryPtr delivery) override;
  void unreadable(DeliveryPtr delivery, const Error& error) override;

 private:
  // What waits to be parked, or to be tried again by the journal.
  struct Parting {
    DeliveryPtr delivery;
    std::vector<record::Event> events;
    bool parked = false;
  };
  struct Restored;

  [[nodiscard]] async::Task<void> run();
  [[nodiscard]] async::Task<Result<void>> restore();

  // reading
  void resume_state(QueuedDelivery& delivery);
  [[nodiscard]] async::Task<void> read_loop();
  [[nodiscard]] bool take_from(log::Topic topic);
  void consume(log::Topic topic, const log::Record& record);
  void relieve_window(bool urgent);
  void accept(DeliveryPtr delivery);
  void bury(WindowSlot slot, std::string key, const Rope& value, const Error& error);
  [[nodiscard]] record::Dead dead_record(const log::RecordPosition& from, std::string key,
                                         const Rope& value, const Error& error) const;

  // ends and parking
  void part(DeliveryPtr delivery, std::vector<record::Event> events, bool parked);
  [[nodiscard]] bool park_throttled(DeliveryPtr& delivery);
  [[nodiscard]] bool take_room(QueuedDelivery& delivery);
  void postpone(DeliveryPtr delivery, const std::vector<record::Event>& events);
  void bring_kept();
  [[nodiscard]] async::Task<void> parking_loop();
  [[nodiscard]] bool settle(Parting& parting);
  [[nodiscard]] Settlement::Context context() const;

  // due
  [[nodiscard]] async::Task<void> due_loop();
  [[nodiscard]] async::Task<void> bring_due();
  [[nodiscard]] async::Task<void> refill_lanes();

  // commit
  [[nodiscard]] async::Task<void> commit_loop();
  [[nodiscard]] async::Task<bool> commit(Journal::Sealed& sealed);
  void acknowledged(Journal::Sealed& sealed);
  void set_problem(std::string text);

  Environment& env_;
  std::shared_ptr<log::Ownership> ownership_;
  const log::PartitionId partition_;
  log::Table& retries_;
  Window urgent_;
  Window bulk_;
  Journal journal_;
  async::Gate couriers_;
  LaneBook lanes_;
  ContentReader content_;
  ParkedFeed parked_;
  KeptQueue kept_;
  std::map<std::string, record::Delivery> slot_states_;  // rows `s/` whose record was not read yet
  QueueTally tally_;
  std::deque<Parting> parting_;
  std::vector<DeliveryPtr> stalled_;  // content could not be read now

  bool draining_ = false;
  bool flushing_ = false;  // couriers are out: commit what is left and end
  bool lost_ = false;
  bool parking_done_ = false;
  std::optional<Instant> commit_sent_;
  Instant urgent_full_since_ = Instant::max();
  Instant bulk_full_since_ = Instant::max();

  // Callbacks of the log may outlive us.
  std::shared_ptr<PartitionOwner*> self_ = std::make_shared<PartitionOwner*>(this);
  async::StopSignal drained_;
  async::StopSignal abort_;
  async::Gate loops_;
  async::Event read_event_;
  async::Event parking_event_;
  async::Event due_event_;
  async::Event commit_event_;
  mutable std::mutex problem_lock_;
  std::string problem_ = "restoring parked mail";
};

}  // namespace godwit::sender
