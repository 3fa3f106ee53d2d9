#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/commands/command_set.h"
#include "common/commands/order.h"
#include "common/log/log.h"

namespace godwit::commands {

// A command with what became of it so far, over all partitions that said so.
struct Listed {
  Command command;
  Progress progress;             // sums; `complete`: of all partitions that it needs
  std::uint32_t partitions = 0;  // that reported
};

// The table `commands` in one process: read whole, followed, written to.
//
// Lifecycle  open() begins to read; problem() is empty once it has read to what was the end; the destructor writes
//            what was reported and waits for calls under way
// Borrows    the log and the clock; they outlive it
// Threads    one of its own, which makes a set of what the table says and swaps it in. current() and version() from
//            any thread; issue(), undo() and list() block, one change at a time
// Durability when issue() or undo() returns, the log has it and it is in force here; elsewhere as soon as the table is
//            followed there
// Limits     kInForceMax commands in force. Rows of what is over are taken away kKept later, by whoever writes next
// Errors     a row that is not understood is left out and logged (command.proto says why)
class CommandBook final : public View {
 public:
  static constexpr std::size_t kInForceMax = 1000;
  static constexpr auto kKept = std::chrono::hours(24) * 7;

  // Errors: those of Log::shared_table.
  [[nodiscard]] static Result<std::unique_ptr<CommandBook>> open(log::Log& log, const Clock& clock,
                                                                 std::string node);
  ~CommandBook() override;
  CommandBook(const CommandBook&) = delete;
  CommandBook& operator=(const CommandBook&) = delete;

  [[nodiscard]] std::uint64_t version() const override { return version_; }
  [[nodiscard]] CommandSetPtr current() const override { return current_.load(); }
  [[nodiscard]] std::string problem() const override;
  void report(const CommandId& id, std::uint32_t partition, const Touched& touched) override;
  void owned(std::uint32_t partition) override;

  // What issue() would write, if it is taken. Errors: kBadCommand.
  [[nodiscard]] Result<Command> check(const Order& order) const;
  // Errors: kBadCommand, kTooMany, kNotReady, kUnfinished, the log's.
  [[nodiscard]] Result<Command> issue(const Order& order);
  // Errors: kNoSuchCommand, kOver, kNotReady, kUnfinished, the log's.
  [[nodiscard]] Result<Command> undo(const CommandId& id, const std::string& actor,
                                     const std::string& reason);
  // Newest first; those that are over too, while their rows are there. Errors: kNotReady, the table's.
  [[nodiscard]] Result<std::vector<Listed>> list() const;

 private:
  using Place = std::pair<CommandId, std::uint32_t>;
  struct Count {
    Progress progress;
    bool changed = false;
  };

  CommandBook(std::unique_ptr<log::SharedTable> table, log::PartitionId partitions,
              const Clock& clock, std::string node);
  [[nodiscard]] Result<std::vector<Command>> read() const;
  [[nodiscard]] Result<std::map<Place, Progress>> read_progress() const;
  [[nodiscard]] Result<void> write(std::vector<log::TableChange> changes);
  [[nodiscard]] log::TableChange put(const Command& command) const;
  void wait_until_in_force();
  void clean(const std::vector<Command>& commands);

  void run();
  void publish();
  void write_counts();

  const std::unique_ptr<log::SharedTable> table_;
  const log::PartitionId partitions_;  // of outbound
  const Clock& clock_;
  const std::string node_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<CommandSetPtr> current_;
  std::mutex changing_;  // one issue() or undo() at a time

  mutable std::mutex mutex_;
  std::condition_variable wake_;       // of the thread
  std::condition_variable published_;  // of those who wait for it
  bool dirty_ = true;
  bool stopping_ = false;
  std::uint64_t rounds_ = 0;  // of publish()
  std::string read_problem_;
  std::map<Place, Count> counts_;
  std::vector<Command> commands_;  // the thread's: what current() was made of
  std::thread thread_;
};

}  // namespace godwit::commands
