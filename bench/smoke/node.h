#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/smoke/mail_host.h"
#include "bench/smoke/scenario.h"
#include "bench/smoke/wire.h"
#include "common/async/blocking_pool.h"
#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/base/manual_clock.h"
#include "common/control/fake_view.h"
#include "common/log/fake_log.h"
#include "common/net/fake_resolver.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "common/poison/slots.h"
#include "common/role/role.h"
#include "ingress/services.h"

namespace godwit::bench {

// What goes through a node, and which of its parts count.
struct NodeLoad {
  std::size_t bytes = 5 * 1024;
  std::size_t recipients = 1;  // each of another domain
  bool pipelined = false;      // the envelope in one write; else command by command

  bool ingress = false;  // these count
  bool router = false;
  bool sender = false;
};

// One node as it is in production, from accepted connections to the remote's reply: sessions of
// ingress, the router, the sender. On one thread and in virtual time, over pairs of sockets, on
// log::FakeLog: the octets of the log's own records are not written (BatchEncoder is a scenario of
// its own).
//
// Round     each of kConnections clients, which stay connected, sends one message; then it is
//           routed, then delivered over connections that stay open, then committed
// Checked   that every client was answered 250 and the host has every copy
class Node final : public Scenario {
 public:
  static constexpr std::size_t kConnections = 20;

  explicit Node(const NodeLoad& load);

  void round() override;
  [[nodiscard]] std::size_t messages() const override { return kConnections; }

 private:
  // Beyond what counts nothing is built: mail for a scenario of ingress goes no further.
  [[nodiscard]] bool routes() const { return load_.router || delivers(); }
  [[nodiscard]] bool delivers() const { return load_.sender; }

  [[nodiscard]] role::RoleContext context(async::Shards& shards);
  void connect_clients();
  void hand_in();
  // To every client; then as many replies of 2xx or 3xx are waited for from each.
  void say(const std::vector<std::string>& to_each, std::size_t replies);
  void say(const std::string& to_all, std::size_t replies);
  void deliver();
  // What is ready now, of one part.
  static bool run(async::Shard& shard, bool counts);

  struct Client {
    Wire wire;
    std::string replies;
  };

  const NodeLoad load_;
  const std::string content_;
  ManualClock clock_;
  async::Shards ingress_shards_{1, clock_};
  async::Shards router_shards_{1, clock_};
  async::Shards sender_shards_{1, clock_};
  async::BlockingPool pool_{"bench", 0, 0};
  async::Gate gate_;
  log::FakeLog log_{clock_, 1};
  net::FakeResolver resolver_;
  control::FakeView control_;
  observe::Metrics metrics_;
  observe::Health health_;
  poison::Slots poison_{1};
  MailHost host_;

  ingress::Config ingress_config_;
  ingress::IngressMetrics ingress_metrics_{metrics_};
  ingress::SessionCounts sessions_{1000, 1000};
  std::unique_ptr<ingress::Authenticator> authenticator_;
  std::unique_ptr<ingress::Services> services_;
  std::unique_ptr<ingress::Port> port_;
  std::unique_ptr<ingress::ShardServices> shard_services_;
  std::unique_ptr<role::Role> router_;
  std::unique_ptr<role::Role> sender_;

  std::vector<Client> clients_;
  std::vector<std::vector<std::string>> envelopes_;  // of each client, in commands
  std::size_t delivered_ = 0;                        // copies that the host must have
};

}  // namespace godwit::bench
