#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/gate.h"
#include "common/async/timer_wheel.h"
#include "sender/environment.h"
#include "sender/lane_limits.h"
#include "sender/lane_metrics.h"
#include "sender/tenant_queue.h"

namespace godwit::sender {

class Courier;

// One lane (site, pool) of a partition: what waits in memory, which source it leaves from, and when a
// connection or a message is allowed. Couriers, one a connection, take from it.
//
// Two directions meet here. Couriers pull: after each transaction take() gives the next delivery if the limits
// allow one now. The lane pushes: pump() wakes an idle courier or opens a connection when there is mail
// and a limit has become free. Both go through LaneLimits, so nothing is granted twice.
//
// Lifecycle  stop with Dispatch::draining() and notify_all(); destroy when no courier is left (connections() == 0)
// Threads    belongs to the shard
class Lane {
 public:
  Lane(LaneId id, Environment& environment, Dispatch& dispatch, async::Gate& gate);
  ~Lane();

  [[nodiscard]] const LaneId& id() const { return id_; }

  // Takes a delivery that may be attempted now. pump() follows.
  void push(DeliveryPtr delivery);
  // The youngest of that class that waits, to be set aside; null when none does.
  [[nodiscard]] DeliveryPtr pop_youngest(bool urgent);
  // What waits, and what couriers have in hand; in no particular order.
  using Visit = std::function<void(const QueuedDelivery& delivery, bool active)>;
  void visit(const Visit& visit) const;
  // What waits and fits. Takes nothing from couriers.
  [[nodiscard]] std::vector<DeliveryPtr> take_if(
      const std::function<bool(const QueuedDelivery&)>& fits);
  // What waits belongs to another partition.
  [[nodiscard]] bool is_elsewhere() const { return !share_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_bulk_ + waiting_urgent_; }
  [[nodiscard]] std::size_t waiting(bool urgent) const {
    return urgent ? waiting_urgent_ : waiting_bulk_;
  }

  // Wakes and opens what the limits allow. Cheap when there is nothing to do.
  void pump();
  // New control data: limits, sources, weights, and what this partition has of the lane. Mail of a
  // source that is gone finds another; none is left when the lane is elsewhere now.
  void control_changed();
  // What waits finds its source anew, where that is another one now.
  void choose_again();
  // Everybody looks again: a drain began, or the log takes commits again.
  void notify_all();

  // For whoever knows how its mail fares.
  [[nodiscard]] LaneMetrics& metrics() { return *metrics_; }

  // Why what waits does not go out now.
  [[nodiscard]] Wait standing() const { return standing_; }
  [[nodiscard]] std::uint32_t connections() const { return limits_.connections(); }
  // Nothing waits, nothing is open, and forgetting the limits' state changes nothing.
  [[nodiscard]] bool idle(Instant now) const;
  [[nodiscard]] LaneLimits& limits() { return limits_; }

  // For couriers of `source`.
  [[nodiscard]] bool has_waiting(const SourceName& source) const;
  // The delivery a new connection is for: out of the queue, its token not taken yet.
  [[nodiscard]] DeliveryPtr claim(const SourceName& source);
  // A token for one transaction now; false: try again when notified.
  [[nodiscard]] bool take_token(const SourceName& source);
  // A token of that source is committed before it is used.
  [[nodiscard]] bool tokens_are_committed(const SourceName& source) const {
    return limits_.slow(source);
  }
  void return_token(const SourceName& source) { limits_.not_sent(source); }
  // Both: the next delivery, with its token.
  [[nodiscard]] DeliveryPtr take(const SourceName& source);
  // It was not attempted after all: first in its tenant's turn again.
  void give_back(const SourceName& source, DeliveryPtr delivery);

  // Its life.
  void begins(Courier& courier) { couriers_.insert(&courier); }
  void ends(Courier& courier) { couriers_.erase(&courier); }
  void idle_begins(Courier& courier);
  void idle_ends(Courier& courier);

  // The site was reached, or none of its hosts was.
  void reached(const SourceName& source);
  void unreachable(const SourceName& source);
  void connecting_ended(const SourceName& source);
  // The slot of one connection. next_slot() counts a further connect attempt of the same courier.
  [[nodiscard]] LaneLimits::Answer next_slot(const SourceName& source);
  void slot_free(const SourceName& source);

  [[nodiscard]] const control::Source* source(const SourceName& source) const;
  [[nodiscard]] const control::Shaping* shaping(const SourceName& source) const;

 private:
  struct Path {
    control::Source source;
    control::Shaping shaping;
    TenantQueue<DeliveryPtr> queue;
    std::vector<Courier*> idle;
    std::uint32_t connecting = 0;
    std::uint32_t failures = 0;  // to reach the site, in a row
    Instant paused_until{};
    bool gone = false;  // no longer in the control data: its mail moved, its connections end
  };
  class Alarm final : public async::TimerWheel::Timer {
   public:
    explicit Alarm(Lane& lane) : lane_(lane) {}

   private:
    void expired() override { lane_.pump(); }
    Lane& lane_;
  };

  Path* path(const SourceName& source);
  [[nodiscard]] const Path* path(const SourceName& source) const;
  // The source is there, and in this partition.
  [[nodiscard]] bool may_use(const control::Pool& pool, const SourceName& source) const;
  void update(const SourceName& name, Path& path);
  // The path a delivery takes; null when no source of the pool may be used.
  Path* choose(const QueuedDelivery& delivery);
  void enqueue(DeliveryPtr delivery);
  [[nodiscard]] std::size_t& waiting_like(const QueuedDelivery& delivery) {
    return delivery.urgent() ? waiting_urgent_ : waiting_bulk_;
  }
  void pump_path(const SourceName& name, Path& path, Instant now, Instant& next, Wait& why);
  void wake_at(Instant when);
  void stand(Wait why);
  static async::Task<void> run_courier(Lane& lane, SourceName source);

  LaneId id_;
  Environment& env_;
  Dispatch& dispatch_;
  async::Gate& gate_;
  control::SnapshotPtr control_;
  std::optional<control::LaneShare> share_;  // nothing: the lane is elsewhere
  std::string domain_;                       // of its mail: for shaping entries that name one
  LaneLimits limits_;
  std::map<SourceName, Path> paths_;
  std::vector<DeliveryPtr> homeless_;  // no usable source now
  std::size_t waiting_bulk_ = 0;
  std::size_t waiting_urgent_ = 0;
  std::size_t running_ = 0;  // couriers, from the moment they are spawned
  std::set<const Courier*> couriers_;
  Wait standing_ = Wait::kNone;
  const std::unique_ptr<LaneMetrics> metrics_;
  SourceName turn_;  // where pump() begins
  Alarm alarm_{*this};
  struct Precise;
  std::unique_ptr<Precise> precise_;
};

}  // namespace godwit::sender
