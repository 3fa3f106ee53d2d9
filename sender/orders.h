#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "common/base/clock.h"
#include "common/commands/command_set.h"
#include "common/control/snapshot.h"
#include "common/log/types.h"
#include "sender/parked_index.h"
#include "sender/queued_delivery.h"

namespace godwit::sender {

// What commands are compared with. Borrows the delivery.
[[nodiscard]] commands::Subject subject_of(const QueuedDelivery& delivery);
[[nodiscard]] commands::Subject subject_of(const LaneEntry& entry);

// What operators ordered (common/commands), as one partition sees it. An answer is never older than the question: each
// looks whether the commands changed.
//
// Cost      of a question while there are no commands: one load
// Threads   belongs to one shard
class Orders {
 public:
  Orders(commands::View& view, const control::View& control, const Clock& clock,
         log::PartitionId partition);

  // True once when what was decided before has to be decided anew: commands came, went or ended, or pools changed
  // while a source is suspended.
  [[nodiscard]] bool changed();
  // When the next one ends.
  [[nodiscard]] Timestamp changes_at() const { return set_->next_end(clock_.now()); }

  // What keeps it from being attempted; null: nothing does. A suspended source does when its pool has no other. Held
  // recipients are nobody's to cancel. Valid until the next question.
  [[nodiscard]] const commands::Command* verdict(const QueuedDelivery& delivery);
  // A retry that was not carried out here yet and means it.
  [[nodiscard]] const commands::Command* retry_of(const QueuedDelivery& delivery);
  // It may not leave from there.
  [[nodiscard]] bool barred(const QueuedDelivery& delivery, const SourceName& source);
  [[nodiscard]] bool any_barred() { return current()->any_source(); }

  // Is anything to be done with a parked delivery? For scans elsewhere: pure. `set` is current().
  [[nodiscard]] static bool concerns(const commands::CommandSet& set,
                                     const control::Snapshot& control,
                                     const std::set<commands::CommandId>& done,
                                     log::PartitionId partition, const LaneEntry& parked,
                                     Timestamp now);
  [[nodiscard]] commands::CommandSetPtr current();
  [[nodiscard]] control::SnapshotPtr control() const { return control_.current(); }
  [[nodiscard]] const std::set<commands::CommandId>& done() const { return done_; }
  // A command is there that has to be carried out on what is parked.
  [[nodiscard]] bool any_to_carry_out();
  // All that is parked was looked through with that set.
  void carried_out(const commands::CommandSet& set);

  void touched(const commands::Command& command, std::uint32_t recipients) {
    view_.report(command.id, partition_, {.deliveries = 1, .recipients = recipients});
  }

 private:
  [[nodiscard]] static bool is_open(const commands::CommandSet& set,
                                    const std::set<commands::CommandId>& done,
                                    log::PartitionId partition, const commands::Command& retry,
                                    Timestamp now);
  void refresh();

  commands::View& view_;
  const control::View& control_;
  const Clock& clock_;
  const log::PartitionId partition_;
  commands::CommandSetPtr set_;
  std::uint64_t version_ = 0;           // of set_
  std::uint64_t seen_version_ = ~0ULL;  // by changed()
  std::size_t seen_ended_ = 0;
  std::uint64_t seen_control_ = 0;      // which sources there are counts where one is suspended
  std::set<commands::CommandId> done_;  // carried out on what was parked
};

}  // namespace godwit::sender
