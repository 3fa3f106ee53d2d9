#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/log/forwarding_log.h"

namespace godwit::admin {

// What this process has of one group.
struct Owned {
  std::string group;
  std::vector<log::Topic> topics;  // the one that is shared out first, then those that follow it
  std::set<log::PartitionId> partitions;
  bool operator==(const Owned&) const = default;
};

// The log as the roles see it, watched: which partitions of which groups are here. Everything else is the log's.
// Borrows the log, which outlives it. Threads: as the log.
class WatchedLog final : public log::ForwardingLog {
 public:
  explicit WatchedLog(log::Log& log) : ForwardingLog(log), state_(std::make_shared<State>()) {}

  [[nodiscard]] std::vector<Owned> owned() const;

  [[nodiscard]] Result<std::unique_ptr<log::Group>> join(
      log::GroupSpec spec, std::shared_ptr<log::GroupListener> listener) override;

 private:
  struct State {
    std::mutex mutex;
    std::vector<Owned> owned;  // one a group
  };
  class Listener;
  const std::shared_ptr<State> state_;
};

}  // namespace godwit::admin
