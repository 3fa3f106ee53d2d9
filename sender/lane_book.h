#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/gate.h"
#include "godwit/v1/delivery.pb.h"
#include "sender/environment.h"
#include "sender/lane.h"

namespace godwit::sender {

class Journal;

// The lanes of one partition: made with their first mail, gone when they are idle and their limits have forgotten
// everything. What slow limits remember is saved in the table (`l/`), so that a restart does not spend them again.
//
// Threads   belongs to the shard
class LaneBook {
 public:
  struct Entry {
    std::unique_ptr<Lane> lane;
    // Mail of a class that is parked because the lane is too slow for it.
    struct Backlog {
      bool there = false;
      std::string cursor;  // where it is read on
    };
    Backlog urgent;
    Backlog bulk;
    bool state_saved = false;  // an l/ record is in the table

    [[nodiscard]] Backlog& backlog(bool of_urgent) { return of_urgent ? urgent : bulk; }
    [[nodiscard]] const Backlog& backlog(bool of_urgent) const { return of_urgent ? urgent : bulk; }
  };

  LaneBook(Environment& environment, Dispatch& dispatch, async::Gate& couriers, Journal& journal)
      : env_(environment), dispatch_(dispatch), couriers_(couriers), journal_(journal) {}

  // When the partition was taken from an owner that did not give it back: what that spent last is in
  // no table.
  void taken_unclean(Instant when) { taken_unclean_ = when; }
  void restore(std::map<LaneId, v1::LaneState> states) { saved_states_ = std::move(states); }

  Entry& at(const LaneId& id);
  // The one with the most mail of that class in memory; null when there is none.
  [[nodiscard]] Entry* fullest(bool urgent);
  [[nodiscard]] const std::map<LaneId, Entry>& all() const { return lanes_; }

  void set_backlog(Entry& state, bool urgent, bool there);
  [[nodiscard]] bool any_backlog() const { return backlogs_ > 0; }
  // It has a backlog of that class, and little of it left in memory.
  [[nodiscard]] bool wants_more(const Entry& state, bool urgent) const;

  // Everybody looks again.
  void notify_all();
  // Takes over new control data, and forgets idle lanes.
  void sweep();
  // What waits and fits, out of its lanes.
  [[nodiscard]] std::vector<DeliveryPtr> take_if(
      const std::function<bool(const QueuedDelivery&)>& fits);
  // A command allows or forbids sources: what waits chooses again.
  void sources_changed();
  // Mail of lanes that are elsewhere now, out of its lanes.
  [[nodiscard]] std::vector<DeliveryPtr> take_strays();
  // When lanes change over to other partitions next.
  [[nodiscard]] Timestamp changes_at() const;
  // To the journal, every 5 s what slow limits remember; `all`: everything, now.
  void save_states(bool all);
  // What that lane's limits remember, now.
  void save_state(const LaneId& id);

 private:
  void put_state(const LaneId& id, Entry& entry, v1::LaneState record);

  Environment& env_;
  Dispatch& dispatch_;
  async::Gate& couriers_;
  Journal& journal_;
  std::map<LaneId, Entry> lanes_;
  std::map<LaneId, v1::LaneState> saved_states_;  // restored, of lanes that have no mail yet
  std::uint64_t control_version_ = 0;
  bool placed_ = false;       // the placement of that version is in effect
  std::size_t backlogs_ = 0;  // of all lanes and both classes
  Instant saved_at_{};
  std::optional<Instant> taken_unclean_;
};

}  // namespace godwit::sender
