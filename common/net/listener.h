#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "common/async/shard.h"
#include "common/async/task.h"
#include "common/base/result.h"
#include "common/net/address.h"
#include "common/net/stream.h"

namespace godwit::net {

struct ListenOptions {
  int backlog = 1024;
  // Connections served at once, over all shards; more wait in the backlog. 0: no limit but
  // descriptors.
  std::size_t connections_max = 0;
};

// Accepts connections on every shard (SO_REUSEPORT: the kernel spreads them) and runs a task for
// each.
//
// Bounds     out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM): accepting pauses for
//            kResourcePause and goes on by itself; what waits stays in the backlog.
// Lifecycle  open() binds all shards or none and accepts nothing yet; start() begins;
//            stop_accepting() ends it (new connections are refused); drained() returns when the
//            last session has ended. Sessions end by themselves or because the handler's owner ends
//            them (StopSignal). Destroy after drained().
// Threads    start(), stop_accepting(), counters: any. Handlers run on the connection's shard.
class Listener {
 public:
  static constexpr Duration kResourcePause = std::chrono::milliseconds(100);

  // A coroutine function; borrowed objects must outlive the listener. Its parameters are the
  // session's own.
  using Handler = std::function<async::Task<void>(async::Shard& shard, Stream stream)>;

  // Port 0 takes a free one: see local(). Errors: kAddressInUse, kAddressUnavailable, kResources,
  // kIo (EACCES for ports below 1024).
  [[nodiscard]] static Result<std::unique_ptr<Listener>> open(async::Shards& shards,
                                                              Address address,
                                                              ListenOptions options,
                                                              Handler handler);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void start();
  void stop_accepting();
  [[nodiscard]] async::Task<void> drained();
  // The same for a thread that is no shard.
  void wait_drained();

  [[nodiscard]] const Address& local() const;
  [[nodiscard]] std::size_t connections() const;  // now
  [[nodiscard]] std::uint64_t accepted_total() const;
  [[nodiscard]] std::uint64_t pauses_total() const;  // for lack of resources

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::net
