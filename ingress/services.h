#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/control/return_path.h"
#include "common/control/snapshot.h"
#include "common/log/log.h"
#include "common/net/tls.h"
#include "common/record/records.h"
#include "common/smtp/server_session.h"
#include "ingress/authenticator.h"
#include "ingress/budget.h"
#include "ingress/config.h"
#include "ingress/metrics.h"
#include "ingress/policy.h"

// What sessions borrow from the role. Everything outlives every session.
namespace godwit::ingress {

// Of the role. Threads: each part says.
struct Services {
  const Config& config;
  std::string hostname;
  std::string node;
  control::ReturnPath return_path;
  log::Log& log;
  const control::View& control;
  const Clock& clock;
  IngressMetrics& metrics;
  Authenticator& authenticator;
  SessionCounts& sessions;
  std::shared_ptr<ByteBudget> budget;
  std::shared_ptr<net::TlsServerContext> tls;  // null: no certificate
};

// Of one listener.
struct Port {
  Port(const Services& services, const SmtpListenerConfig& listener);

  SmtpListenerConfig config;
  std::vector<net::Network> trusted;
  std::vector<net::Network> proxies;     // empty: clients come by themselves
  smtp::ServerConfig protocol;           // for everybody
  smtp::ServerConfig protocol_loopback;  // AUTH also in the clear

  [[nodiscard]] bool trusts(const net::IpAddress& address) const;
  [[nodiscard]] bool is_proxy(const net::IpAddress& address) const;
  [[nodiscard]] std::string name() const;  // "smtp.submissions"
};

// Of one shard; belongs to it.
struct ShardServices {
  ShardServices(async::Shard& home, std::unique_ptr<log::Producer> appends)
      : shard(home), producer(std::move(appends)) {}

  async::Shard& shard;
  std::unique_ptr<log::Producer> producer;
  record::Message scratch;  // of IntakeRecords::records()
  async::StopSignal drain;  // no more transactions; idle sessions end
  async::StopSignal stop;   // connections are closed
  async::Gate farewells;    // of sessions that were told 421 while they waited
  std::shared_ptr<const InboundDomains> inbound;  // nullptr: nobody asked yet
};

}  // namespace godwit::ingress
