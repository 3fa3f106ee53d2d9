#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/commands/command.h"

namespace godwit::commands {

// All commands that are not undone, as they were at one moment. Immutable.
class CommandSet {
 public:
  // Undone ones are left out. `done`: of commands that count once, the partitions that are through.
  explicit CommandSet(std::vector<Command> commands = {},
                      std::set<std::pair<CommandId, std::uint32_t>> done = {});

  [[nodiscard]] bool empty() const { return commands_.empty(); }
  [[nodiscard]] const std::vector<Command>& all() const { return commands_; }

  // What decides about a delivery: a cancel before a suspend, the oldest of its kind; null when nothing does. Those
  // with a source decide about nothing here.
  [[nodiscard]] const Command* verdict(const Subject& subject, Timestamp now) const;
  // A suspend that keeps it from leaving from that source.
  [[nodiscard]] const Command* barred(const Subject& subject, std::string_view source,
                                      Timestamp now) const;
  [[nodiscard]] bool any_source() const { return any_source_; }

  // When the next of them ends; Timestamp::max(): none does.
  [[nodiscard]] Timestamp next_end(Timestamp now) const;
  // How many have ended: what was decided before it changed is decided anew.
  [[nodiscard]] std::size_t ended(Timestamp now) const;
  [[nodiscard]] bool done(const CommandId& id, std::uint32_t partition) const {
    return done_.contains({id, partition});
  }

 private:
  std::vector<Command> commands_;  // by id, and so by time
  std::set<std::pair<CommandId, std::uint32_t>> done_;
  bool any_source_ = false;
};
using CommandSetPtr = std::shared_ptr<const CommandSet>;

// What roles see of the commands.
//
// Threads    any; version() and current() do not block, report() takes a lock for a moment
class View {
 public:
  virtual ~View() = default;
  // Rises when what is in force changes otherwise than by time. 0: they have not been read to their end,
  // and no mail may be attempted.
  [[nodiscard]] virtual std::uint64_t version() const = 0;
  [[nodiscard]] virtual CommandSetPtr current() const = 0;
  // Why version() is 0, for people; empty: it is not.
  [[nodiscard]] virtual std::string problem() const = 0;

  // What a command has come to in a partition, besides what was reported before. Written seconds later; what a process
  // that dies did not write is not counted.
  struct Touched {
    std::uint64_t deliveries = 0;
    std::uint64_t recipients = 0;
    bool complete = false;
  };
  virtual void report(const CommandId& id, std::uint32_t partition, const Touched& touched) = 0;
  // This process begins to own the partition: counts go on from what others wrote.
  virtual void owned(std::uint32_t partition) = 0;
};

// For whoever runs roles without a table: there are none, and never will be.
[[nodiscard]] View& no_commands();

}  // namespace godwit::commands
