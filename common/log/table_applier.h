#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/log/counters.h"
#include "common/log/table_state.h"
#include "common/log/write.h"

namespace godwit::log {

// The thread that brings what was synced into the tables, and then says so: completions, watchers, listeners.
//
// Ordering   writes are applied and finished in the order they were submitted; tasks run between them
// Lifecycle  start(), stop() (applies what is there; joins)
// Threads    submit(), post(), watch(): any
class TableApplier {
 public:
  TableApplier(TableState& tables, Counters& counters);
  ~TableApplier();

  void start(StreamPosition applied);
  void stop();

  // The log is on disk up to `end`, and these writes of it, in order, are to be applied.
  void submit(std::vector<WritePtr> writes, StreamPosition end);
  // Runs on the thread, after what was submitted before.
  void post(std::move_only_function<void()> task);

  struct Watch {
    Topic topic{};
    SharedTable::Changed changed;
    std::mutex mutex;  // held while `changed` runs
  };
  void watch(std::weak_ptr<Watch> watch);

  // Writes into the store up to which position it reflects the log; to be flushed by the caller.
  // `next_offsets` is asked on the thread. Blocks until it is done.
  [[nodiscard]] Result<StreamPosition> mark_checkpoint(
      std::uint64_t needed_from, const std::function<std::vector<PositionChange>()>& next_offsets);

  // Called once when the store cannot be written for a reason that does not pass.
  void when_broken(std::function<void(const Error&)> broken) {
    broken_handler_ = std::move(broken);
  }

 private:
  struct Work {
    std::vector<WritePtr> writes;
    std::move_only_function<void()> task;
    StreamPosition end;
  };
  void run();
  void perform(std::vector<Work> work);
  [[nodiscard]] Result<void> stage(const Write& write);
  [[nodiscard]] Result<void> apply_with_patience();
  void finish(std::vector<WritePtr>& writes, const Result<void>& result);
  void notify(const Write& write);

  TableState& tables_;
  Counters& counters_;
  std::function<void(const Error&)> broken_handler_;
  std::optional<Error> broken_;  // the thread's
  StreamPosition applied_;       // the thread's

  std::mutex mutex_;
  std::condition_variable condition_;
  std::vector<Work> queue_;
  StreamPosition submitted_;  // end of the newest sync
  bool stopping_ = false;
  std::mutex watches_mutex_;
  std::vector<std::weak_ptr<Watch>> watches_;
  std::thread thread_;
};

}  // namespace godwit::log
