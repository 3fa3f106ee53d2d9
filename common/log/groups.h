#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/log/core.h"
#include "common/log/log.h"

namespace godwit::log {

// The groups that have joined an embedded log. One process owns everything, so a group gets every partition of
// its topic at once, and keeps it until it stops or the log breaks.
//
// Threads  any; listeners are called on the applier's thread
class Groups {
 public:
  explicit Groups(std::shared_ptr<Core> core);

  [[nodiscard]] Result<std::unique_ptr<Group>> join(GroupSpec spec,
                                                    std::shared_ptr<GroupListener> listener);
  // Every ownership has ended; listeners are told.
  void lose_all();

  class Membership;  // groups.cc
  class EmbeddedOwnership;

 private:
  struct Registry {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Membership>> members;
  };
  std::shared_ptr<Core> core_;
  std::shared_ptr<Registry> registry_;
  friend class EmbeddedGroup;
};

}  // namespace godwit::log
