#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/capture/store.h"

namespace godwit::async {
class Shard;
class BlockingPool;
}  // namespace godwit::async
namespace godwit::net {
class Address;
}

namespace godwit::capture {

// An SMTP server inside the process that takes every mail and keeps it in a Store. Routes with `to:
// capture` deliver to its address, so that the whole real path of a delivery is used and nothing
// leaves the machine.
//
// Lifecycle  start() listens on a free loopback port and serves on the shard; stop() closes the
// listener and its
//            sessions and waits for them; call it before the shard stops
// Borrows    shard, pool and store: they outlive it
// Limits     100 sessions, 1,000 recipients a mail, a mail of the store's bytes_max or 64 MiB
// Threads    start() and stop() from any thread but the shard's; they block until it is done
// Errors     those of net::Listener
class CaptureServer {
 public:
  CaptureServer(async::Shard& shard, async::BlockingPool& pool, Store& store, const Clock& clock);
  ~CaptureServer();

  [[nodiscard]] Result<net::Address> start();
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace godwit::capture
