#pragma once

#include <string>

#include "common/async/task.h"
#include "common/control/snapshot.h"
#include "common/control/static_route.h"
#include "sender/environment.h"
#include "sender/mx_plan.h"

namespace godwit::sender {

// Asks the DNS what an MxPlan needs to know: the way of one source to the hosts of one domain, by static route,
// address literal, or MX and addresses.
//
// Errors    none: what the DNS says, or does not say, is in the plan's verdict
// Lifecycle `stop` ends every question at once; what is made of it then is of no use, and nobody may act on it
// Threads   belongs to one shard
class PlanMaker {
 public:
  PlanMaker(Environment& environment, const control::Source& egress, async::StopSignal& stop)
      : env_(environment), egress_(egress), stop_(stop) {}

  [[nodiscard]] async::Task<MxPlan> make(std::string domain);
  // The addresses of a host the plan wants resolved. Our own addresses are refused.
  [[nodiscard]] async::Task<void> resolve(MxPlan& plan, std::string host);
  // Mail for another domain may take the connection that this plan led to `host`.
  [[nodiscard]] async::Task<bool> leads_to(std::string domain, std::string host);

  // Of the domain of make(); null: it has none.
  [[nodiscard]] const control::StaticRoute* route() const { return route_; }

 private:
  Environment& env_;
  const control::Source& egress_;
  async::StopSignal& stop_;
  const control::StaticRoute* route_ = nullptr;
};

}  // namespace godwit::sender
