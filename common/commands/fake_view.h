#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "common/commands/command_set.h"

namespace godwit::commands {

// For tests: what set() was given last, nothing before. After unread() they are still being read until the next set().
// Threads: any.
class FakeView final : public View {
 public:
  void unread() { version_ = 0; }
  void set(std::vector<Command> commands) {
    current_ = std::make_shared<const CommandSet>(std::move(commands));
    ++version_;
  }
  [[nodiscard]] Touched touched(const CommandId& id, std::uint32_t partition = 0) const {
    const std::lock_guard lock(mutex_);
    const auto found = touched_.find({id, partition});
    return found == touched_.end() ? Touched{} : found->second;
  }

  [[nodiscard]] std::uint64_t version() const override { return version_; }
  [[nodiscard]] CommandSetPtr current() const override { return current_.load(); }
  [[nodiscard]] std::string problem() const override {
    return version_ > 0 ? std::string() : "the commands are being read";
  }
  void report(const CommandId& id, std::uint32_t partition, const Touched& touched) override {
    const std::lock_guard lock(mutex_);
    Touched& sum = touched_[{id, partition}];
    sum.deliveries += touched.deliveries;
    sum.recipients += touched.recipients;
    sum.complete = sum.complete || touched.complete;
  }
  void owned(std::uint32_t) override {}

 private:
  std::atomic<std::uint64_t> version_{1};
  std::atomic<CommandSetPtr> current_{std::make_shared<const CommandSet>()};
  mutable std::mutex mutex_;
  std::map<std::pair<CommandId, std::uint32_t>, Touched> touched_;
};

}  // namespace godwit::commands
