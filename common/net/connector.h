#pragma once

#include <optional>

#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/net/address.h"
#include "common/net/stream.h"

namespace godwit::net {

// Opens connections, so that a simulation can stand in for the network.
// Threads: any shard; the task resumes on its own.
class Connector {
 public:
  virtual ~Connector() = default;
  // As net::connect(): the same arguments, errors and limits.
  [[nodiscard]] virtual async::Task<Result<Stream>> connect(async::Shard& shard, Address remote,
                                                            std::optional<Address> local,
                                                            Instant deadline) = 0;
  // The same, ended by a signal of the shard (net::connect() says how). A connector that does not
  // override this connects as above.
  [[nodiscard]] virtual async::Task<Result<Stream>> connect_until(async::Shard& shard,
                                                                  Address remote,
                                                                  std::optional<Address> local,
                                                                  Instant deadline,
                                                                  async::StopSignal& /*stop*/) {
    return connect(shard, remote, local, deadline);
  }
};

// The machine's network. One for the process.
[[nodiscard]] Connector& tcp_connector();

}  // namespace godwit::net
