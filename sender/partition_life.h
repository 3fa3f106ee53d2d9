#pragma once

#include <mutex>
#include <string>

#include "common/async/event.h"
#include "common/async/stop_signal.h"

namespace godwit::sender {

// How far one partition of this process is in its life, and what wakes its loops.
//
//   owning -> draining   no new transaction; nothing more is read
//          -> flushing   couriers are out: what is left is journaled and committed
//          -> settled    nothing comes into the journal any more: one last commit
//   lost, at any time    another may own the partition: nothing is written any more
//
// Threads   belongs to the shard; problem() and set_problem() any
class PartitionLife {
 public:
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] bool flushing() const { return flushing_; }
  [[nodiscard]] bool settled() const { return settled_; }
  [[nodiscard]] bool lost() const { return lost_; }

  void drain();
  void flush();
  void settle();
  void lose(std::string why);

  // Requested when a drain begins (connections without an open transaction close), and when its
  // time is over (every connection is broken off).
  [[nodiscard]] async::StopSignal& drained() { return drained_; }
  [[nodiscard]] async::StopSignal& abort() { return abort_; }

  // Why the partition does not work as it should, for operators; empty: it does.
  [[nodiscard]] std::string problem() const;
  void set_problem(std::string text);

  // One loop waits for each.
  struct Wakes {
    async::Event reading;
    async::Event parking;
    async::Event due;
    async::Event commit;
  };
  Wakes wake;

 private:
  bool draining_ = false;
  bool flushing_ = false;
  bool settled_ = false;
  bool lost_ = false;
  async::StopSignal drained_;
  async::StopSignal abort_;
  mutable std::mutex problem_lock_;
  std::string problem_ = "restoring parked mail";
};

}  // namespace godwit::sender
