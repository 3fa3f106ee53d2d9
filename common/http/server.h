#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/address.h"

namespace godwit::async {
class Shard;
}
namespace godwit::net {
class TlsServerContext;
}

// A small HTTP/1.1 server: the observe endpoints, the capture page, the API.
//
// Input     requests as of RFC 9110 and RFC 9112, parsed by Boost.Beast, keep-alive and pipelining
// included Output    one Response a request, in order. HEAD is answered by the GET route without
// the body. Errors are
//           application/problem+json (RFC 9457): 400 malformed, 404, 405 with Allow, 408 slow, 413
//           and 431 too large, 500 when a handler throws, 503 at the connection limit
// Limits    Limits below; a connection holds at most one request and one response in memory
// Threads   a server lives on one shard; handlers run there and must not block
namespace godwit::http {

enum class Method : std::uint8_t { kGet, kPost, kPut, kPatch, kDelete };

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  Method method = Method::kGet;
  std::string path;                                        // decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::map<std::string, std::string, std::less<>>
      parameters;  // of the route: "/v1/messages/{id}" gives "id"
  std::vector<Header> headers;
  std::string body;
  net::Address remote;

  // The first value; names compare without regard to case.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::vector<Header> headers;  // Content-Length, Connection and Date are added
  std::string body;

  [[nodiscard]] static Response text(std::string body, int status = 200);
  [[nodiscard]] static Response html(std::string body, int status = 200);
  [[nodiscard]] static Response json(std::string body, int status = 200);
  // RFC 9457: `detail` is shown to the client; keep it generic.
  [[nodiscard]] static Response problem(int status, std::string_view detail = {});
};

// May suspend; the request lives in the coroutine's frame.
using Handler = std::function<async::Task<Response>(Request)>;

// Which handler answers what. A pattern is a path whose segments may be "{name}"; a last
// "{name...}" takes the rest. Literal segments win over parameters. Built before the server starts
// and shared by its servers.
class Routes {
 public:
  Routes();
  ~Routes();
  Routes(Routes&&) noexcept;
  Routes& operator=(Routes&&) noexcept;

  void add(Method method, std::string_view pattern, Handler handler);
  // For what needs no waiting.
  void add(Method method, std::string_view pattern,
           std::function<Response(const Request&)> handler);

  struct Match {
    const Handler* handler = nullptr;  // null: 404, or 405 when `allowed` is not empty
    std::map<std::string, std::string, std::less<>> parameters;
    std::vector<Method> allowed;
  };
  [[nodiscard]] Match match(Method method, std::string_view path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct Limits {
  std::uint32_t header_bytes_max = 16 * 1024;
  std::uint64_t body_bytes_max = 1024 * 1024;
  std::uint32_t connections_max = 256;
  std::chrono::milliseconds request_timeout{
      std::chrono::seconds(30)};  // to read one request, from its first octet
  std::chrono::milliseconds idle_timeout{std::chrono::seconds(60)};  // between requests
  std::chrono::milliseconds write_timeout{std::chrono::seconds(30)};
};

// Lifecycle  listen() once; stop() closes the listener and idle connections, lets requests under
// way end until
//            `deadline`, and completes when no connection is left. Destroy after stop().
// Borrows    the shard; shares the routes
class Server {
 public:
  Server(async::Shard& shard, std::shared_ptr<const Routes> routes, Limits limits);
  ~Server();

  // Called on any thread, before the shard serves or through it. Errors: the system's (address in
  // use, ...).
  [[nodiscard]] Result<net::Address> listen(const net::Address& address);
  [[nodiscard]] async::Task<void> stop(Instant deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace godwit::http
