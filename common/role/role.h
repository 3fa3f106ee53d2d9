#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace godwit::async {
class BlockingPool;
class Shards;
}  // namespace godwit::async
namespace godwit::commands {
class View;
View& no_commands();
}  // namespace godwit::commands
namespace godwit::control {
class View;
}
namespace godwit::log {
class Log;
}
namespace godwit::net {
class Connector;
class Resolver;
Connector& tcp_connector();
}  // namespace godwit::net
namespace godwit::observe {
class Health;
class Metrics;
}  // namespace godwit::observe
namespace godwit::poison {
class Slots;
}

namespace godwit::role {

// What a process lends to its roles. Everything outlives them. A role copies the struct and keeps
// what it needs.
struct RoleContext {
  async::Shards& shards;      // running
  async::BlockingPool& pool;  // for what blocks or burns
  log::Log& log;
  const control::View& control;
  net::Resolver& resolver;
  const Clock& clock;
  observe::Metrics& metrics;
  observe::Health& health;  // for heartbeats; readiness is Role::problem()
  poison::Slots& poison;    // one slot a shard
  std::string node;         // this machine's name, for Received: lines, EHLO defaults and events
  std::filesystem::path data_dir;
  net::Connector& connector = net::tcp_connector();  // to other hosts
  commands::View& commands = commands::no_commands();
};

// An address a role serves on, for the `ready` line: {"smtp.relay", "127.0.0.1:2525"}.
struct NamedAddress {
  std::string name;
  std::string address;
};

// One role of a process: ingress, router, sender, ... Each folder's role.h has the factory:
//     std::unique_ptr<role::Role> make_router(const role::RoleContext& context,
//                                             const router::Config& config);
//
// Lifecycle  start() once; then reload() any number of times; then drain() once; then stop(); then
//            it is destroyed. stop() also follows a failed start() and may come without drain().
// Threads    start, reload, drain and stop are called on the main thread, never on a shard, and may
//            block; problem() may be called from any thread, between start() and the destructor.
class Role {
 public:
  virtual ~Role() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;

  // Begins to serve. May return before it is ready (see problem()). After an error stop() is still
  // called.
  [[nodiscard]] virtual Result<void> start() = 0;
  [[nodiscard]] virtual std::vector<NamedAddress> addresses() const { return {}; }

  // Why traffic should not come yet, for people; empty: ready. Must not block.
  [[nodiscard]] virtual std::string problem() const = 0;

  // Reads again what may change while it runs and lies outside the configuration: certificates,
  // keys. On an error what was in force stays in force.
  [[nodiscard]] virtual Result<void> reload() { return {}; }

  // Takes nothing new and finishes what is under way, until `deadline`; what is unfinished then
  // stays in the log.
  virtual void drain(Instant deadline) = 0;

  // Ends everything: when it returns, nothing of the role runs on any shard or pool. Bounded by
  // seconds.
  virtual void stop() = 0;
};

}  // namespace godwit::role
