#pragma once

#include <optional>

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
};

// The machine's network. One for the process.
[[nodiscard]] Connector& tcp_connector();

}  // namespace godwit::net
