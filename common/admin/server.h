#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/admin/credentials.h"
#include "common/admin/deliveries.h"
#include "common/admin/sources.h"
#include "common/admin/transport.h"
#include "common/base/result.h"

namespace godwit::commands {
class CommandBook;
}
namespace godwit::control {
class Authority;
}

namespace godwit::admin {

class AuditTrail;
class DeadDesk;
class HeldDesk;
class Registry;

struct ServerConfig {
  std::string listen = "127.0.0.1:8026";  // port 0: any free one
  Grants grants;                          // needed when `listen` is not a loopback address
  ServerTls tls;
  std::uint32_t streams_max =
      16;  // Events and Audit at once; the next one is told RESOURCE_EXHAUSTED
  std::uint32_t threads_max = 24;  // of gRPC for this server; above streams_max
};

// What the server answers from. Borrowed: everything outlives the server.
struct Services {
  Process* process = nullptr;        // needed
  Records* records = nullptr;        // none: Events, Audit and DeadList are UNIMPLEMENTED
  std::vector<QueueSource*> queues;  // none: QueueSummary is UNIMPLEMENTED
  // None: what they are for is UNIMPLEMENTED.
  std::vector<DeliverySource*> deliveries;
  commands::CommandBook* commands = nullptr;
  // None: what they are for is UNIMPLEMENTED.
  control::Authority* control = nullptr;
  DeadDesk* dead = nullptr;
  HeldDesk* held = nullptr;
  Registry* registry = nullptr;
  // None: changes are not written down, and AuditLog is UNIMPLEMENTED.
  AuditTrail* trail = nullptr;
};

// The gRPC service Admin of a process (proto/godwit/admin/v1/admin.proto), grpc.health.v1 and
// reflection.
//
// Lifecycle  start() listens; the destructor or stop() cancels streams, waits for calls under way
//            (each notices within 250 ms) and ends the threads. stop() may be called again.
// Access     a loopback listen address without grants: everybody on the machine. With grants every
//            call but grpc.health.v1 needs a token or a client certificate (credentials.h), and the
//            role that access.h says. Without TLS a token travels in the clear: a listen address
//            that is not loopback belongs on a private network then, and a line of the log says so.
// Threads    its own, at most threads_max; none of them is a mail loop. Functions here: from any
//            thread
// Errors     kAddress, kNobodyMay, kFile
class Server {
 public:
  // What start() would refuse, as far as it can be seen without listening.
  [[nodiscard]] static Result<void> check(const ServerConfig& config);
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const ServerConfig& config,
                                                             const Services& services);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "127.0.0.1:8026", with the port that was chosen.
  [[nodiscard]] const std::string& address() const;
  // What grpc.health.v1 says of a role ("ingress"), or of the process (""). The process starts as
  // not serving.
  void set_serving(std::string_view role, bool serving);
  void stop();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace godwit::admin
