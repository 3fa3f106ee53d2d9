#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/async/event.h"
#include "common/smtp/client_session.h"
#include "sender/connection.h"
#include "sender/environment.h"
#include "sender/mx_plan.h"
#include "sender/plan_maker.h"
#include "sender/work_in_hand.h"

namespace godwit::sender {

class Lane;

// One connection of a source to a site, from the first delivery that needs it until it is idle too
// long, has carried enough, fails, or the partition is given back.
//
//   plan      the first delivery's domain: static route, address literal, or MX and addresses
//             (PlanMaker, MxPlan)
//   connect   host after host, address after address, until one greets and takes EHLO
//   converse  ClientSession says what to do, Connection does it; transactions one after another,
//             the next one pipelined behind the final dot of the one before (WorkInHand)
//
// Every delivery it takes goes back exactly once: to Dispatch with a result for each recipient, or
// to the lane when it never came to its turn.
// Lifecycle  run() once, on the shard, in the owner's gate. The lane holds its connection slot when
//            it starts
class Courier {
 public:
  Courier(Lane& lane, Environment& environment, Dispatch& dispatch, SourceName source);
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  [[nodiscard]] async::Task<void> run();

  [[nodiscard]] const SourceName& source() const { return source_; }
  // A delivery is in hand that waits for a token.
  [[nodiscard]] bool holds() const { return works_.any_left(); }
  void wake() { event_.notify(); }
  // What it has in hand.
  template <class Visit>
  void visit(const Visit& visit) const {
    works_.visit([&visit](const Work& work) {
      if (work.delivery) visit(*work.delivery);
    });
  }

 private:
  // How a connection ended.
  struct Ended {
    bool served = false;  // at least one transaction was attempted
    bool failed = false;  // otherwise than by our own QUIT
    bool connected = false;
    bool tls_broken = false;
    smtp::Reply reply;  // why it was of no use
    smtp::ClientStage stage = smtp::ClientStage::kBanner;
  };

  [[nodiscard]] async::Task<void> try_hosts(MxPlan& plan);
  [[nodiscard]] async::Task<bool> wait_for_slot();
  [[nodiscard]] async::Task<Ended> converse(const MxPlan::Target& target, bool in_clear);
  [[nodiscard]] async::Task<void> perform(smtp::ClientSession& session, Ended& ended);
  [[nodiscard]] bool may_offer();
  // Begins a transaction when there is a delivery, a token, and its content.
  [[nodiscard]] async::Task<bool> offer(smtp::ClientSession& session);
  [[nodiscard]] async::Task<WorkPtr> next_work();
  [[nodiscard]] async::Task<bool> wait_for_work(smtp::ClientSession& session, Instant idle_until);
  [[nodiscard]] async::Task<void> load_for_notices();
  void no_longer_connecting();
  void return_token(Work& work);
  void begin(smtp::ClientSession& session, const WorkPtr& work);
  void outcome(const smtp::TransactionOutcome& outcome, Ended& ended);
  void finish(Work& work);
  void hand_back(const Ended& ended);
  void give_up(const NoWay& verdict);
  [[nodiscard]] Instant now() const { return env_.clock.instant(); }

  Lane& lane_;
  Environment& env_;
  Dispatch& dispatch_;
  SourceName source_;
  control::Source egress_;  // as it was when the courier began
  control::Shaping shaping_;
  PlanMaker maker_;
  std::optional<Connection> connection_;  // once there is a plan
  WorkInHand works_;
  std::string domain_;  // the plan's
  bool slot_ = true;
  bool connecting_ = true;     // counted by the lane as being opened
  std::uint32_t carried_ = 0;  // transactions begun on this connection
  bool idle_ = false;          // between transactions
  bool peer_dsn_ = false;      // it has DSN (RFC 3461)
  bool ending_ = false;        // no further transaction on this connection
  async::Event event_;
};

}  // namespace godwit::sender
