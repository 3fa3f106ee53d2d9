#include "common/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <stdexcept>
#include <string>

#include "common/async/sleep.h"
#include "common/async/test_loop.h"
#include "common/net/stream.h"
#include "common/observe/log.h"

namespace godwit::http {
namespace {

std::atomic<int> handlers_entered = 0;

async::Task<Response> answer_later(Request request) {
  ++handlers_entered;
  co_await async::sleep_for(std::chrono::milliseconds(20));
  co_return Response::text("later " + request.parameters["x"] + " " + request.body);
}

std::shared_ptr<const Routes> make_routes() {
  auto routes = std::make_shared<Routes>();
  routes->add(Method::kPost, "/later/{x}", answer_later);
  routes->add_now(Method::kGet, "/now", [](const Request&) {
    ++handlers_entered;
    return Response::text("now");
  });
  routes->add_now(Method::kGet, "/throw",
                  [](const Request&) -> Response { throw std::runtime_error("secret"); });
  return routes;
}

// Sends the text and reads until the server closes.
async::Task<std::string> talk(async::Shard& shard, net::Address server, std::string text) {
  const Instant deadline = shard.now() + std::chrono::seconds(30);
  Result<net::Stream> stream = co_await net::connect(shard, server, std::nullopt, deadline);
  if (!stream) co_return stream.error().to_string();
  (void)co_await stream->write(text, deadline);
  std::string answer;
  std::array<char, 4096> buffer;
  while (true) {
    const Result<std::size_t> length = co_await stream->read_some(buffer, deadline);
    if (!length) co_return answer + "<" + length.error().to_string() + ">";
    if (*length == 0) co_return answer;
    answer.append(buffer.data(), *length);
  }
}

class ServerTest : public testing::Test {
 protected:
  void serve(ServerLimits limits = {}) {
    shards_.start();
    auto opened = Server::open(shards_, {net::IpAddress::loopback(), 0}, make_routes(), limits);
    ASSERT_TRUE(opened) << opened.error().to_string();
    server_ = *std::move(opened);
    server_->start();
  }
  ~ServerTest() override {
    if (server_) server_->stop(system_clock().instant() + std::chrono::seconds(30));
    shards_.stop();
  }
  std::string say(std::string text) {
    return loop_.run(talk(loop_.shard(), server_->local(), std::move(text)));
  }

  const observe::LogCapture quiet_{[this](std::string_view line) { log_ += line; }};
  std::string log_;
  async::Shards shards_{2};
  std::unique_ptr<Server> server_;
  async::TestLoop loop_;
};

TEST_F(ServerTest, AnswersPipelinedRequestsInOrderAndCloses) {
  serve();
  const std::string answer =
      say("POST /later/7 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiHEAD /now "
          "HTTP/1.1\r\nHost: h\r\n\r\n"
          "GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /now HTTP/1.1\r\nHost: "
          "h\r\n\r\n");
  EXPECT_THAT(answer, testing::MatchesRegex(
                          "HTTP/1.1 200 OK\r\n.*Content-Length: 10\r\n.*\r\n\r\nlater 7 hi"
                          "HTTP/1.1 200 OK\r\n.*Content-Length: 3\r\n.*\r\n\r\n"
                          "HTTP/1.1 200 OK\r\n.*Connection: close\r\n.*\r\n\r\nnow"));
}

struct Case {
  std::string request;
  std::string answer;  // a part of it
};

TEST_F(ServerTest, RefusesWithAProblemAndTheConnectionEnds) {
  serve({.request = {.header_bytes_max = 512, .body_bytes_max = 16}});
  for (const auto& [request, answer] : {
           Case{"GET /none HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
           Case{"DELETE /now HTTP/1.0\r\n\r\n", "Allow: GET, HEAD\r\n"},
           Case{"garbage\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
           Case{"POST /later/1 HTTP/1.0\r\nContent-Length: 17\r\n\r\n",
                "HTTP/1.1 413 Content Too Large\r\n"},
           Case{"GET /now HTTP/1.0\r\nX: " + std::string(600, 'x'), "HTTP/1.1 431 Request Header"},
       }) {
    const std::string said = say(request);
    EXPECT_THAT(said, testing::HasSubstr(answer));
    EXPECT_THAT(said, testing::HasSubstr("Content-Type: application/problem+json\r\n"));
  }
}

TEST_F(ServerTest, AHandlerThatThrowsIsA500WithoutItsText) {
  serve();
  const std::string said = say("GET /throw HTTP/1.0\r\n\r\n");
  EXPECT_THAT(said, testing::HasSubstr("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_THAT(said, testing::Not(testing::HasSubstr("secret")));
  EXPECT_THAT(log_, testing::HasSubstr("secret"));
}

TEST_F(ServerTest, ContinuesWhenTheClientWaitsForIt) {
  serve({.request_timeout = std::chrono::milliseconds(200)});  // this client sends no body at all
  const std::string answer =
      say("POST /later/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "));
}

TEST_F(ServerTest, SlowRequestsAndIdleConnectionsEnd) {
  serve({.request_timeout = std::chrono::milliseconds(100),
         .idle_timeout = std::chrono::milliseconds(100)});
  EXPECT_THAT(say("GET /now HTT"), testing::HasSubstr("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_EQ(say(""), "");
}

TEST_F(ServerTest, StopEndsIdleConnectionsAndFinishesRequests) {
  serve();
  handlers_entered = 0;
  std::string idle = "?";
  std::string busy = "?";
  loop_.spawn([](std::string& out, async::Task<std::string> task) -> async::Task<void> {
    out = co_await std::move(task);
  }(idle, talk(loop_.shard(), server_->local(), "GET /now HTTP/1.1\r\nHost: h\r\n\r\n")));
  loop_.spawn([](std::string& out, async::Task<std::string> task) -> async::Task<void> {
    out = co_await std::move(task);
  }(busy, talk(loop_.shard(), server_->local(),
               "POST /later/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")));
  loop_.drive([] { return handlers_entered == 2; });
  auto stopped = std::async(std::launch::async, [this] {
    server_->stop(system_clock().instant() + std::chrono::seconds(30));
  });
  loop_.drive([&] { return idle != "?" && busy != "?"; });
  stopped.get();
  EXPECT_THAT(
      idle, testing::AnyOf(testing::EndsWith("now"), testing::IsEmpty(), testing::HasSubstr("<")));
  EXPECT_THAT(busy, testing::EndsWith("\r\n\r\nlater x "));
  EXPECT_THAT(say("GET /now HTTP/1.0\r\n\r\n"), testing::HasSubstr("refused"));
  server_.reset();
}

}  // namespace
}  // namespace godwit::http
