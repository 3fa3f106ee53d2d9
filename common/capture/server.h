#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/capture/store.h"
#include "common/net/address.h"

namespace godwit::async {
class BlockingPool;
class Shards;
}  // namespace godwit::async

namespace godwit::capture {

// An SMTP server inside the process that takes every mail and keeps it in a Store. Routes with `to: capture`
// deliver to its address, so that the whole real path of a delivery is used and nothing leaves the machine.
//
// Lifecycle  start() listens on a free loopback port and serves on the shards; stop() closes the listener and
//            its sessions and waits for them; call it before the shards stop. The destructor calls it
// Borrows    shards, pool and store: they outlive it
// Limits     kSessionsMax sessions at once; 1,000 recipients a mail; a mail of the store's bytes_max, at most 64 MiB
// Threads    start() and stop(): from any thread but a shard's; stop() blocks
// Errors     those of net::Listener
class CaptureServer {
 public:
  static constexpr std::size_t kSessionsMax = 1'000;

  CaptureServer(async::Shards& shards, async::BlockingPool& pool, Store& store, const Clock& clock);
  ~CaptureServer();
  CaptureServer(const CaptureServer&) = delete;
  CaptureServer& operator=(const CaptureServer&) = delete;

  [[nodiscard]] Result<net::Address> start();
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::capture
