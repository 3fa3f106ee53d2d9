#include "common/http/server.h"

#include <array>
#include <exception>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/stop_signal.h"
#include "common/net/listener.h"
#include "common/net/stream.h"
#include "common/observe/log.h"

namespace godwit::http {
namespace {

constexpr observe::Logger kLog{"http"};

Response not_found(const Routes::Match& match) {
  if (match.allowed.empty()) return Response::problem(404);
  Response response = Response::problem(405);
  std::string allowed;
  for (const Method method : match.allowed) {
    if (!allowed.empty()) allowed += ", ";
    allowed += method_name(method);
    if (method == Method::kGet) allowed += ", HEAD";
  }
  response.headers.push_back({"Allow", std::move(allowed)});
  return response;
}

}  // namespace

struct Server::Impl {
  Impl(async::Shards& all_shards, std::shared_ptr<const Routes> all_routes, ServerLimits all_limits)
      : shards(all_shards),
        routes(std::move(all_routes)),
        limits(all_limits),
        stops(all_shards.size()) {}

  // What ends the connections of one shard.
  struct Stops {
    async::StopSignal idle;  // those that wait for a request
    async::StopSignal all;
  };

  async::Task<void> serve(async::Shard& shard, net::Stream stream);
  async::Task<bool> read_request(async::Shard& shard, net::Stream& stream, RequestParser& parser);
  async::Task<Response> respond(Request request);
  async::Task<bool> write(async::Shard& shard, net::Stream& stream, const Response& response,
                          bool head, bool keep_alive);

  // On every shard; returns when all have done it.
  void request_stop(async::StopSignal Stops::* signal) {
    std::latch done(static_cast<std::ptrdiff_t>(shards.size()));
    for (std::size_t i = 0; i < shards.size(); ++i) {
      shards.at(i).post([this, i, signal, &done] {
        (stops[i].*signal).request();
        done.count_down();
      });
    }
    done.wait();
  }

  async::Shards& shards;
  const std::shared_ptr<const Routes> routes;
  const ServerLimits limits;
  std::vector<Stops> stops;
  std::unique_ptr<net::Listener> listener;
};

async::Task<void> Server::Impl::serve(async::Shard& shard, net::Stream stream) {
  Stops& stop = stops[shard.index()];
  const async::StopSignal::Callback on_stop(stop.all, [&stream] { stream.close(); });
  RequestParser parser(limits.request);
  while (co_await read_request(shard, stream, parser)) {
    if (parser.state() == RequestParser::State::kFailed) {
      (void)co_await write(shard, stream, Response::problem(parser.status(), parser.detail()),
                           false, false);
      (void)co_await stream.shutdown_write(shard.now() + limits.write_timeout);
      co_return;
    }
    Request request = parser.take();
    request.remote = stream.remote();
    const bool head = request.head;
    const bool wants_more = request.keep_alive;
    const Response response = co_await respond(std::move(request));
    const bool keep_alive = wants_more && !stop.idle.requested();
    if (!co_await write(shard, stream, response, head, keep_alive) || !keep_alive) co_return;
  }
}

// Reads until the parser has a request, or something to refuse. False: the connection is over.
async::Task<bool> Server::Impl::read_request(async::Shard& shard, net::Stream& stream,
                                             RequestParser& parser) {
  std::array<char, 8192> buffer;
  Instant deadline = shard.now() + limits.request_timeout;
  while (true) {
    switch (parser.state()) {
      case RequestParser::State::kComplete:
      case RequestParser::State::kFailed: co_return true;
      case RequestParser::State::kIdle: {
        const async::StopSignal::Callback on_stop(stops[shard.index()].idle,
                                                  [&stream] { stream.close(); });
        if (!stream.is_open()) co_return false;
        if (!co_await stream.wait_readable(shard.now() + limits.idle_timeout)) co_return false;
        deadline = shard.now() + limits.request_timeout;
        break;
      }
      case RequestParser::State::kPartial: break;
    }
    if (parser.take_continue() && !co_await stream.write("HTTP/1.1 100 Continue\r\n\r\n",
                                                         shard.now() + limits.write_timeout)) {
      co_return false;
    }
    const Result<std::size_t> length = co_await stream.read_some(buffer, deadline);
    if (!length) {
      const bool slow = length.error().code == net::Errc::kTimeout;
      if (slow && parser.state() == RequestParser::State::kPartial) {
        (void)co_await write(shard, stream, Response::problem(408), false, false);
      }
      co_return false;
    }
    if (*length == 0) co_return false;
    (void)parser.feed({buffer.data(), *length});
  }
}

async::Task<Response> Server::Impl::respond(Request request) {
  Routes::Match match = routes->match(request.method, request.target);
  if (match.handler == nullptr) co_return not_found(match);
  request.parameters = std::move(match.parameters);
  try {
    co_return co_await (*match.handler)(std::move(request));
  } catch (const std::exception& error) {
    kLog.error("handler threw", {{"error", error.what()}});
  }
  co_return Response::problem(500);
}

async::Task<bool> Server::Impl::write(async::Shard& shard, net::Stream& stream,
                                      const Response& response, bool head, bool keep_alive) {
  const std::string top = render_head(response, keep_alive, to_unix_ms(shard.clock().now()) / 1000);
  const std::array<std::string_view, 2> pieces{top, head ? std::string_view() : response.body};
  const Result<void> written = co_await stream.write(pieces, shard.now() + limits.write_timeout);
  co_return written.has_value();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::open(async::Shards& shards, const net::Address& address,
                                             std::shared_ptr<const Routes> routes,
                                             ServerLimits limits) {
  auto impl = std::make_unique<Impl>(shards, std::move(routes), limits);
  Impl* const self = impl.get();
  TRY(impl->listener,
      net::Listener::open(shards, address,
                          {.backlog = 128, .connections_max = limits.connections_max},
                          [self](async::Shard& shard, net::Stream stream) {
                            return self->serve(shard, std::move(stream));
                          }));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::start() {
  impl_->listener->start();
}
const net::Address& Server::local() const {
  return impl_->listener->local();
}

void Server::stop(Instant deadline) {
  impl_->listener->stop_accepting();
  impl_->request_stop(&Impl::Stops::idle);
  const Clock& clock = impl_->shards.at(0).clock();
  while (impl_->listener->connections() > 0 && clock.instant() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  impl_->request_stop(&Impl::Stops::all);
  impl_->listener->wait_drained();
}

}  // namespace godwit::http
