#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/base/random.h"
#include "common/commands/command_set.h"
#include "common/control/return_path.h"
#include "common/control/snapshot.h"
#include "common/control/static_route.h"
#include "common/net/connector.h"
#include "common/net/resolver.h"
#include "common/net/tls.h"
#include "common/poison/slots.h"
#include "sender/config.h"
#include "sender/ended_attempts.h"
#include "sender/metrics.h"
#include "sender/queued_delivery.h"
#include "sender/settlement.h"
#include "sender/shared_bodies.h"
#include "sender/spare_room.h"

namespace godwit::log {
class Log;
}
namespace godwit::async {
class BlockingPool;
}

namespace godwit::sender {

// What everything of the role on one shard shares. Outlives all of it.
struct Environment {
  async::Shard& shard;
  async::BlockingPool& pool;
  log::Log& log;
  const Clock& clock;
  Random& random;
  const control::View& control;
  net::Resolver& resolver;
  net::TlsClientContext& tls;
  net::Connector& connector;
  const Config& config;
  const control::StaticRoutes& routes;
  std::optional<net::Address> capture;
  std::string node;
  SenderMetrics& metrics;
  SpareRoom& spare_room;
  ContentBudget& content_budget;
  EndedAttempts& ended_attempts;
  std::string process;  // 16 random octets: names this life of the process
  poison::Slot& hand;   // the shard's
  const control::ReturnPath& return_path;
  commands::View& commands;
  SharedBodies bodies{};
};

// What a lane and its couriers ask of the owner of their partition. All on the shard.
class Dispatch {
 public:
  virtual ~Dispatch() = default;

  // A new transaction may begin: the log takes commits, and nobody is stopping.
  [[nodiscard]] virtual bool may_begin() const = 0;
  // Octets may go out: no other process can own the partition yet.
  [[nodiscard]] virtual bool may_send() const = 0;
  // The partition is being given back: connections are closed as soon as they are idle.
  [[nodiscard]] virtual bool draining() const = 0;
  // Requested when a drain begins (connections without an open transaction close), and when its
  // time is over (every connection is broken off).
  [[nodiscard]] virtual async::StopSignal& drained() = 0;
  [[nodiscard]] virtual async::StopSignal& abort() = 0;

  // What this partition has of a lane now; nothing: its mail belongs elsewhere and is moved there.
  [[nodiscard]] virtual std::optional<control::LaneShare> share_of(const LaneId& lane) const = 0;

  // Fetches delivery.content and waits until the log has what it was accepted with on disk: the
  // outside world must not depend on an intake that may be lost. Until `share_by` it waits for its
  // share of content_memory; whoever has content loaded only tries (ContentBudget). Errors:
  // log::Errc, Errc::kContentMemory; the delivery is untouched.
  [[nodiscard]] virtual async::Task<Result<void>> load_content(QueuedDelivery& delivery,
                                                               Instant share_by) = 0;
  // Of a limit below 1/s: waits until the log has what the lane has spent, the token in hand
  // included. False: it never will, there is no attempt.
  [[nodiscard]] virtual async::Task<bool> commit_token(const LaneId& lane) = 0;
  // A command says that it is not attempted now. withhold() then takes it away, out of what waits: true.
  [[nodiscard]] virtual bool is_withheld(const QueuedDelivery& delivery) = 0;
  [[nodiscard]] virtual bool withhold(DeliveryPtr& delivery) = 0;
  // A command says that it does not leave from there.
  [[nodiscard]] virtual bool is_barred(const QueuedDelivery& delivery,
                                       const SourceName& source) = 0;
  // A courier has taken a delivery out of its lane, or gives it back untried.
  virtual void taken(const QueuedDelivery& delivery) = 0;
  virtual void given_back(const QueuedDelivery& delivery) = 0;
  // An attempt ended, with a result for every recipient.
  virtual void attempted(DeliveryPtr delivery, const AttemptReport& report) = 0;
  // Its time is over before an attempt began.
  virtual void expired(DeliveryPtr delivery) = 0;
  // load_content() failed for good, or the delivery killed the process three times
  // (poison::Errc::kInHand): what of its content was loaded is kept with it.
  virtual void unreadable(DeliveryPtr delivery, const Error& error) = 0;
};

}  // namespace godwit::sender
