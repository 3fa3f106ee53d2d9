#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/event.h"
#include "common/net/stream.h"
#include "common/smtp/client_session.h"
#include "sender/environment.h"
#include "sender/mx_plan.h"

namespace godwit::sender {

class Lane;

// One connection of a source to a site, from the first delivery that needs it until it is idle too
// long, has carried enough, fails, or the partition is given back.
//
//   plan      the first delivery's domain: static route, address literal, or MX and addresses
//   connect   host after host, address after address, until one greets and takes EHLO (MxPlan)
//   converse  ClientSession says what to do; transactions one after another, the next one pipelined
//             behind the final dot of the one before
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
  [[nodiscard]] bool holds() const { return !works_.empty(); }
  void wake() { event_.notify(); }

 private:
  // A delivery in hand, over one or more transactions.
  struct Work {
    DeliveryPtr delivery;
    std::vector<std::optional<RecipientResult>> results;  // by place in the envelope
    std::deque<int> left;    // recipients that no transaction has offered yet
    std::uint32_t open = 0;  // transactions under way
    bool begun = false;
    bool token = false;  // taken for the next transaction
    [[nodiscard]] bool complete() const { return left.empty() && open == 0; }
  };
  struct Open {
    std::uint64_t tag = 0;
    std::shared_ptr<Work> work;
    std::vector<int> offered;
    Instant began;
  };
  // How a connection ended.
  struct Ended {
    bool served = false;  // at least one transaction was attempted
    bool failed = false;  // otherwise than by our own QUIT
    bool connected = false;
    bool tls_broken = false;
    smtp::Reply reply;  // why it was of no use
    smtp::ClientStage stage = smtp::ClientStage::kBanner;
  };

  [[nodiscard]] async::Task<MxPlan> make_plan(std::string domain);
  [[nodiscard]] async::Task<void> resolve(MxPlan& plan, const std::string& host);
  [[nodiscard]] async::Task<bool> wait_for_slot();
  [[nodiscard]] async::Task<Ended> converse(const MxPlan::Target& target, bool in_clear);
  [[nodiscard]] async::Task<void> read(smtp::ClientSession& session);
  [[nodiscard]] async::Task<void> write(smtp::ClientSession& session);
  [[nodiscard]] async::Task<void> start_tls(smtp::ClientSession& session, Ended& ended);
  // Begins a transaction when there is a delivery, a token, and its content.
  [[nodiscard]] async::Task<bool> offer(smtp::ClientSession& session);
  [[nodiscard]] async::Task<std::shared_ptr<Work>> next_work();
  [[nodiscard]] async::Task<bool> may_carry(const QueuedDelivery& delivery);
  [[nodiscard]] async::Task<bool> wait_for_work(smtp::ClientSession& session, Instant idle_until);
  [[nodiscard]] async::Task<void> load_for_notices();
  void no_longer_connecting();
  void begin(smtp::ClientSession& session, const std::shared_ptr<Work>& work);
  void outcome(smtp::TransactionOutcome outcome, Ended& ended);
  void finish(const std::shared_ptr<Work>& work);
  void fill(Work& work, const smtp::Reply& reply, std::string_view stage, Verdict verdict,
            std::string_view category);
  void hand_back(const Ended& ended);
  void give_up(const NoWay& verdict);

  [[nodiscard]] std::shared_ptr<Work> take_in(DeliveryPtr delivery);
  [[nodiscard]] smtp::ClientConfig session_config(const MxPlan::Target& target,
                                                  bool in_clear) const;
  // As the route or the shaping says; credentials leave this machine in verified TLS only, or where
  // TLS is disabled in as many words.
  [[nodiscard]] control::Shaping::Tls tls_policy(const net::IpAddress& to) const;
  [[nodiscard]] std::optional<net::Address> local_address(net::Family family) const;
  [[nodiscard]] Instant deadline(smtp::ClientStage stage, bool writing) const;
  [[nodiscard]] Instant now() const { return env_.clock.instant(); }

  Lane& lane_;
  Environment& env_;
  Dispatch& dispatch_;
  SourceName source_;
  control::Source egress_;  // as it was when the courier began
  control::Shaping shaping_;
  const control::StaticRoute* route_ = nullptr;
  std::string domain_;  // the plan's
  bool slot_ = true;
  bool connecting_ = true;  // counted by the lane as being opened

  std::deque<std::shared_ptr<Work>> works_;  // in hand, not all recipients offered yet
  std::vector<Open> open_;
  std::uint64_t tag_ = 0;
  std::uint32_t carried_ = 0;  // transactions begun on this connection
  bool idle_ = false;          // between transactions
  bool peer_dsn_ = false;      // it has DSN (RFC 3461)
  bool ending_ = false;        // no further transaction on this connection

  net::Stream stream_;
  std::string input_;
  std::string host_;
  std::string address_;
  std::string tls_text_;
  async::Event event_;
};

}  // namespace godwit::sender
