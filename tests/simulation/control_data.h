#pragma once

#include <memory>
#include <vector>

#include "common/control/snapshot.h"
#include "tests/simulation/process.h"

namespace godwit::simulation {

// The control data of the cluster: who sends, from where, how fast, and which partition has which lane. Changes are
// batches: each process sees all of one, in order, some time later, as by reading the table `control`.
//
// Late      within 4 s, before a placement takes effect; but who stands still or has no way to the brokers hears of it
//           when he can
// Always    `default` and `careful` are tenants; `careful` has mail of unknown outcome held
class ControlData {
 public:
  ControlData(World& world, log::PartitionId partitions);

  // What the process goes by. It begins with what is in force: no role starts before it has read the table.
  [[nodiscard]] std::unique_ptr<control::View> view(Process& process);

  // Something else than before: slots, pinned and wide lanes, sources, limits. When it takes effect everywhere.
  Instant change();
  // Every source has mail again, and no limit is slow.
  void calm();

 private:
  class View;
  struct Reader {
    Process* process;  // never destroyed: see process.h
    View* view;
  };
  void publish();
  void tell(Reader reader, control::SnapshotPtr snapshot);
  void move_slots(control::PlacementMap& map);
  void pin_lanes(control::PlacementMap& map);
  void shape();

  World& world_;
  const log::PartitionId partitions_;
  control::Content content_;
  control::SnapshotPtr current_;
  std::vector<Reader> readers_;
};

}  // namespace godwit::simulation
