#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/control/authority.h"
#include "common/control/batches.h"
#include "common/log/log.h"

namespace godwit::control {

// The control data of `control.mode: seed`: the table `control` is the truth, every process reads it whole.
//
// Lifecycle  open() begins to read; problem() is empty once it has read to what was the end; the destructor
//            waits for calls under way
// Borrows    the log and the clock; they outlive it
// Threads    one of its own, which makes a snapshot of each whole batch and swaps it in. current() from any thread,
//            wait-free but for one reference count; the rest blocks, several at a time, changes one after the other
// Ordering   a snapshot has whole batches only. Snapshot::version is the highest sequence of them: the same
//            data has the same version on every process
// Errors     what cannot be read, or refers to what is not there, is left out and logged; the rest is in force
class LogControl final : public Authority {
 public:
  // Errors: those of Log::shared_table.
  [[nodiscard]] static Result<std::unique_ptr<LogControl>> open(log::Log& log, const Clock& clock,
                                                                std::string node);
  ~LogControl() override;
  LogControl(const LogControl&) = delete;
  LogControl& operator=(const LogControl&) = delete;

  // Before it has read to the end: the defaults. See problem().
  [[nodiscard]] SnapshotPtr current() const override { return current_.load(); }
  [[nodiscard]] std::string problem() const override;
  [[nodiscard]] Result<ChangePlan> diff(const ChangeRequest& request) override;
  [[nodiscard]] Result<Applied> apply(const ChangeRequest& request,
                                      const Announce& announce) override;
  [[nodiscard]] Result<std::string> to_yaml() override;
  [[nodiscard]] bool writable() const override { return true; }
  // Nothing to read again.
  [[nodiscard]] Result<void> reload() override { return {}; }

  // Fills an empty table from a control file, once. Where there is something, only compares. Blocks.
  // Output    what was written, or what the file would change: plan.changes and an empty batch
  // Errors    as apply(), and kUnreadable
  [[nodiscard]] Result<Applied> seed(const std::filesystem::path& file, const Announce& announce);

 private:
  LogControl(std::unique_ptr<log::SharedTable> table, const Clock& clock, std::string node);
  struct State {  // what is in force, read afresh
    BatchTable rows;
    Objects objects;
    Content content;
  };
  [[nodiscard]] Result<State> read() const;
  [[nodiscard]] Result<Applied> apply_locked(const ChangeRequest& request,
                                             const Announce& announce);
  [[nodiscard]] Result<void> write(std::vector<log::TableChange> changes);
  void wait_until_in_force(const BatchId& batch);
  void clean();

  void run();
  void publish();

  const std::unique_ptr<log::SharedTable> table_;
  const Clock& clock_;
  const std::string node_;
  std::atomic<std::shared_ptr<const Snapshot>> current_;
  std::mutex changing_;  // one apply at a time

  mutable std::mutex mutex_;
  std::condition_variable wake_;       // of the thread
  std::condition_variable published_;  // of those who wait for it
  bool dirty_ = true;
  bool stopping_ = false;
  bool ready_ = false;
  std::uint64_t rounds_ = 0;  // of publish()
  std::string read_problem_;
  Objects objects_;  // the thread's: what current() was made of
  std::thread thread_;
};

}  // namespace godwit::control
