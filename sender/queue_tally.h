#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/admin/types.h"
#include "common/base/clock.h"
#include "common/observe/metrics.h"
#include "sender/parked_index.h"
#include "sender/queue_metrics.h"
#include "sender/queued_delivery.h"

namespace godwit::sender {

class SenderMetrics;

// Counts what a partition holds, by lane, domain and tenant, as deliveries come, move and go: an operator's
// question costs a look, not a scan. Counts are recipients; octets are those of the content of each delivery.
//
// Oldest and next due are exact to the minute they fall in.
// Threads   belongs to one shard
class QueueTally {
 public:
  enum class State : std::uint8_t { kWaiting, kActive, kParked, kSuspended };

  // What is counted of one delivery; the same values when it is taken off again. Its names are the
  // delivery's own: no longer than that lives and keeps them.
  struct Share {
    std::string_view site;
    std::string_view pool;
    std::string_view domain;
    std::string_view tenant;
    std::uint32_t recipients = 0;
    std::uint32_t held = 0;  // of them, until an operator decides
    Timestamp accepted;
    Timestamp due;  // of parked ones
    std::uint64_t bytes = 0;
    bool suspended = false;  // what is parked counts as kSuspended
  };
  [[nodiscard]] static Share share_of(const QueuedDelivery& delivery);
  [[nodiscard]] static Share share_of(const LaneEntry& entry);

  void add(State state, const Share& share) { count(state_of(state, share), share, 1); }
  void remove(State state, const Share& share) { count(state_of(state, share), share, -1); }
  // As remove() from one state and add() to another.
  void move(State from, State to, const Share& share);

  [[nodiscard]] bool any_suspended() const {
    return all_.counts[static_cast<std::size_t>(State::kSuspended)] > 0;
  }

  // Finds the domains with the most recipients for the metrics, looking at kDomainsLookedAt of them
  // at a time, wherever it left off: when all were looked at they are shown, and it begins anew.
  static constexpr std::size_t kDomainsLookedAt = 4096;
  void rank_domains();

  // From now on, and until this is destroyed, the metrics have in their sums what is counted here. They outlive it.
  void show(SenderMetrics& metrics);

  [[nodiscard]] admin::QueueSummary summary(const admin::QueueQuery& query) const;

 private:
  // A number, and its part in a gauge.
  class Shown {
   public:
    Shown() = default;
    Shown(Shown&& other) noexcept { *this = std::move(other); }
    Shown& operator=(Shown&& other) noexcept {
      std::swap(count_, other.count_);
      std::swap(gauge_, other.gauge_);
      return *this;
    }
    ~Shown() {
      if (gauge_ != nullptr) gauge_->subtract(static_cast<double>(count_));
    }
    void show(observe::Gauge& gauge) {
      gauge_ = &gauge;
      gauge_->add(static_cast<double>(count_));
    }
    void add(std::int64_t by) {
      count_ += by;
      if (by != 0 && gauge_ != nullptr) gauge_->add(static_cast<double>(by));
    }

   private:
    std::int64_t count_ = 0;
    observe::Gauge* gauge_ = nullptr;
  };

  // Recipients by the minute of a time, in order. Few at a time: what comes in together goes together.
  class Minutes {
   public:
    void add(Timestamp time, std::int64_t by);
    [[nodiscard]] bool empty() const { return counts_.empty(); }
    [[nodiscard]] Timestamp first() const;

   private:
    struct Count {
      std::int64_t minute;
      std::int64_t recipients;  // not 0
    };
    std::vector<Count> counts_;
  };

  struct Group {
    std::int64_t counts[4] = {0, 0, 0, 0};
    std::int64_t bytes = 0;
    Minutes accepted;
    Minutes due;
    Shown shown;  // of a lane: its part in the gauge of its provider
    [[nodiscard]] bool empty() const { return accepted.empty(); }
  };
  using Groups = std::map<std::string, Group, std::less<>>;
  [[nodiscard]] static State state_of(State state, const Share& share) {
    return state == State::kParked && share.suspended ? State::kSuspended : state;
  }
  void count(State state, const Share& share, int sign);
  static void count(Group& group, State state, const Share& share, int sign);
  static void move(Group& group, State from, State to, const Share& share);
  // The keys of what it is counted in, as by_ has them; until the next call.
  [[nodiscard]] std::array<std::string_view, 3> names_of(const Share& share);
  // A lane's group, by its name.
  void show(const std::string& name, Group& group);
  // What changed in all_.
  void publish();
  static admin::QueueCounts counts_of(const Group& group);
  [[nodiscard]] std::vector<admin::QueueRow> rows_by(admin::QueueBy by) const;

  Group all_;
  Shown held_;
  Groups by_[3];           // admin::QueueBy; a few of them empty, for what comes next
  std::string lane_name_;  // of names_of()
  SenderMetrics* metrics_ = nullptr;
  // By provider and pool: the group of a lane comes and goes with its mail.
  std::map<std::string, std::map<std::string, observe::Gauge*, std::less<>>, std::less<>> gauges_;
  std::shared_ptr<PartitionFigures> figures_;          // what all_ shows
  std::string rank_from_;                              // the first domain that was not looked at
  std::vector<PartitionFigures::DomainCount> ranked_;  // a heap, the least of them in front
};

}  // namespace godwit::sender
