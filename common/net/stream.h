#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/address.h"
#include "common/net/errc.h"
#include "common/net/tls.h"

namespace godwit::net {

// One TCP connection, in clear or, from start_tls_* on, in TLS.
//
// Deadlines  each call takes one, on the shard's clock; when it passes the call returns kTimeout. A
//            write that timed out may have sent a part: only close() is sensible then.
// Concurrency  one reader and one writer at a time (two tasks may share the stream so); not during
//              a handshake.
// Memory     an idle connection holds no buffer of ours; about 15 kB in TLS (OpenSSL's state).
// Errors     errc.h. After any error but kTimeout of a read the stream is of no use but to be
//            closed.
// Threads    belongs to its shard, destruction included.
// Lifecycle  close() may be called at any time, while others wait: they return kClosed. The
//            destructor closes; nobody may wait then. Movable while nobody waits.
class Stream {
 public:
  Stream();  // not open
  // Takes a connected socket (an accepted one, or one end of a socketpair).
  Stream(async::Shard& shard, int socket);
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  // Reads at least one octet, at most `into`. 0 means the peer ended its side in order (in TLS: by
  // close_notify or by just closing, as many mail hosts do).
  [[nodiscard]] async::Task<Result<std::size_t>> read_some(std::span<char> into, Instant deadline);
  // Returns when something came, so that an idle session needs to hold no buffer. In TLS that may
  // be a part of a record only: then read_some waits for the rest.
  [[nodiscard]] async::Task<Result<void>> wait_readable(Instant deadline);

  // Writes everything, with as few system calls (and TLS records) as will do. The memory is
  // borrowed until the task ends. Done means given to the kernel, not received.
  [[nodiscard]] async::Task<Result<void>> write(std::string_view octets, Instant deadline);
  [[nodiscard]] async::Task<Result<void>> write(std::span<const std::string_view> pieces,
                                                Instant deadline);
  [[nodiscard]] async::Task<Result<void>> write(const Rope& rope, Instant deadline);
  // `before`, then the rope, then `after`: a pipelined command, a content and what follows it in
  // one go.
  [[nodiscard]] async::Task<Result<void>> write(std::string_view before, const Rope& rope,
                                                std::string_view after, Instant deadline);

  // What waits to be read, without taking it. Before the reply to STARTTLS is written it must be
  // kNothing and the session's own buffer empty: what a client pipelines behind STARTTLS was put
  // there by somebody else (CVE-2011-0411). For a kept connection: kEnd or kData mean the peer hung
  // up, or spoke unasked (421), while nobody looked.
  enum class Pending { kNothing, kData, kEnd };
  [[nodiscard]] Pending pending() const;

  // Handshakes. Errors: kTls, kTlsUntrusted, kTimeout, kPeerClosed, kReset; the connection cannot
  // go on in clear after any.
  [[nodiscard]] async::Task<Result<void>> start_tls_server(TlsServerContext& context,
                                                           Instant deadline);
  // Call it when the peer's reply to STARTTLS was read: anything behind that reply gives
  // kTlsInjected.
  [[nodiscard]] async::Task<Result<void>> start_tls_client(TlsClientContext& context, TlsPeer peer,
                                                           Instant deadline);
  // Nothing while in clear. Put together at each call: an idle stream does not hold it.
  [[nodiscard]] std::optional<TlsInfo> tls() const;

  // Says that nothing more will come (in TLS close_notify, then FIN); reading goes on.
  [[nodiscard]] async::Task<Result<void>> shutdown_write(Instant deadline);
  // Ends the connection so that the peer can read what was written last: says that nothing more
  // will come, drops what the peer still sends (at most 1 MiB, until the deadline), closes. Closing
  // on unread octets would reset the connection, and with it the peer would lose our last reply.
  [[nodiscard]] async::Task<void> finish(Instant deadline);
  void close();
  // Closes with a reset: what is under way, in either direction, is lost. For peers that are to
  // notice.
  void abort();
  [[nodiscard]] bool is_open() const;

  [[nodiscard]] const Address& remote() const;
  // The peer speaks for somebody else (proxy_header.h): remote() is that one from now on.
  void set_remote(const Address& client);
  [[nodiscard]] const Address& local() const;  // asked for while the stream was open

 private:
  friend class Listener;  // of_tcp
  friend async::Task<Result<Stream>> connect(async::Shard& shard, Address remote,
                                             std::optional<Address> local, Instant deadline,
                                             async::StopSignal* stop);
  struct Impl;
  explicit Stream(std::unique_ptr<Impl> impl);
  // A socket that is non-blocking and has TCP_NODELAY.
  [[nodiscard]] static Stream of_tcp(async::Shard& shard, int socket, const Address& remote);
  [[nodiscard]] static async::Task<Result<std::size_t>> refuse_read();
  [[nodiscard]] static async::Task<Result<void>> refuse_write();
  [[nodiscard]] static async::Task<Result<void>> is_readable();
  std::unique_ptr<Impl> impl_;
};

// Connects. With `local` the connection comes from that address (port 0: any; the kernel picks the
// port when the remote is known, so that one address has 28,000 ports per remote, not per machine).
// A signal of the shard (it must outlive the task) ends the attempt at once: kClosed. What was
// connected before the signal came is the caller's to close.
// Errors: kTimeout, kRefused, kUnreachable, kAddressUnavailable, kResources, kReset, kIo, kClosed.
[[nodiscard]] async::Task<Result<Stream>> connect(async::Shard& shard, Address remote,
                                                  std::optional<Address> local, Instant deadline,
                                                  async::StopSignal* stop = nullptr);

}  // namespace godwit::net
