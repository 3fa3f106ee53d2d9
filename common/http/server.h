#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "common/async/shard.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/http/request_parser.h"
#include "common/http/routes.h"
#include "common/net/address.h"

// A small HTTP/1.1 server: the observe endpoints, the capture page, the API.
namespace godwit::http {

struct ServerLimits {
  ParserLimits request;
  std::size_t connections_max = 256;                    // over all shards; more wait in the backlog
  Duration request_timeout = std::chrono::seconds(30);  // to read one request, from its first octet
  Duration idle_timeout = std::chrono::seconds(60);     // between requests
  Duration write_timeout = std::chrono::seconds(30);
};

// Input     requests as of RFC 9110 and RFC 9112, keep-alive and pipelining included
// Output    one Response a request, in order; HEAD is answered by the GET route without the body. Errors are
//           application/problem+json (RFC 9457): 400 malformed, 404, 405 with Allow, 408 slow, 413 and 431 too
//           large, 500 when a handler throws, 501, 505; after one that is about the message the connection closes
// Lifecycle open() binds, start() serves; stop() takes no new connection, closes idle ones, lets requests under way
//           end until the deadline, cuts what is left, and returns when nothing of it runs. Destroy after stop().
// Borrows   the shards; shares the routes, whose handlers run on any shard
// Threads   open, start and stop on a thread that is no shard
class Server {
 public:
  // Errors: those of net::Listener::open.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(async::Shards& shards,
                                                            const net::Address& address,
                                                            std::shared_ptr<const Routes> routes,
                                                            ServerLimits limits = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();
  void stop(Instant deadline);
  [[nodiscard]] const net::Address& local() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::http
