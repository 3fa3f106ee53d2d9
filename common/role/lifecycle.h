#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/role/role.h"

namespace godwit::role {

// The roles of one process, from start to end.
//
// Ordering   started in the order they were added (whoever reads from a topic before whoever writes
//            to it), drained and stopped the other way round, so that what the front still takes
//            finds its way out.
// Threads    belongs to the main thread; troubles() may be called from any.
class Lifecycle {
 public:
  explicit Lifecycle(const Clock& clock) : clock_(clock) {}
  ~Lifecycle();  // stops what runs

  void add(std::unique_ptr<Role> role);

  // Starts all. When one fails, those before it are stopped, the last first, and its error is
  // returned.
  [[nodiscard]] Result<void> start();
  [[nodiscard]] std::vector<NamedAddress> addresses() const;

  struct Trouble {
    std::string role;
    std::string problem;
  };
  // The roles that are not ready, and why.
  [[nodiscard]] std::vector<Trouble> troubles() const;
  // Every role reloads; the failures.
  [[nodiscard]] std::vector<Trouble> reload();

  // Drains one after the other, all within `bound` (each gets an equal share of what is left), then stops them.
  // Idempotent.
  void end(Duration bound);

 private:
  const Clock& clock_;
  std::vector<std::unique_ptr<Role>> roles_;
  std::size_t started_ = 0;
};

}  // namespace godwit::role
