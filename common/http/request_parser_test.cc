#include "common/http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace godwit::http {
namespace {

using State = RequestParser::State;
constexpr ParserLimits kLimits{.header_bytes_max = 512, .body_bytes_max = 64};

TEST(RequestParser, ReadsARequestInAnyPieces) {
  const std::string text =
      "POST /v1/a%20b?x=1&y=a+b%26&z HTTP/1.1\r\nHost: h\r\nX-Thing: one\r\nx-thing: two\r\n"
      "Content-Length: 5\r\n\r\nhello";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    RequestParser parser(kLimits);
    for (std::size_t at = 0; at < text.size(); at += piece) {
      ASSERT_NE(parser.state(), State::kComplete) << at;
      (void)parser.feed(std::string_view(text).substr(at, piece));
    }
    ASSERT_EQ(parser.state(), State::kComplete) << piece;
    const Request request = parser.take();
    EXPECT_EQ(request.method, Method::kPost);
    EXPECT_EQ(request.target, "/v1/a%20b");
    EXPECT_THAT(request.query,
                testing::ElementsAre(testing::Pair("x", "1"), testing::Pair("y", "a b&"),
                                     testing::Pair("z", "")));
    EXPECT_EQ(request.header("X-THING"), "one");
    EXPECT_EQ(request.header("none"), std::nullopt);
    EXPECT_EQ(request.body, "hello");
    EXPECT_TRUE(request.keep_alive);
    EXPECT_EQ(parser.state(), State::kIdle);
  }
}

TEST(RequestParser, PipelinedRequestsComeOneByOne) {
  RequestParser parser(kLimits);
  const std::string one = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string two = "HEAD /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(parser.feed(one + two + "GET"), State::kComplete);
  EXPECT_EQ(parser.take().target, "/1");
  ASSERT_EQ(parser.state(), State::kComplete);
  const Request second = parser.take();
  EXPECT_EQ(second.target, "/2");
  EXPECT_TRUE(second.head);
  EXPECT_FALSE(second.keep_alive);
  EXPECT_EQ(parser.state(), State::kPartial);
}

TEST(RequestParser, ChunkedBodiesAreJoined) {
  RequestParser parser(kLimits);
  EXPECT_EQ(parser.feed("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                        "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
            State::kComplete);
  EXPECT_EQ(parser.take().body, "abcde");
}

TEST(RequestParser, AsksForTheBodyWhenTheClientWaits) {
  RequestParser parser(kLimits);
  EXPECT_EQ(parser.feed(
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"),
            State::kPartial);
  EXPECT_TRUE(parser.take_continue());
  EXPECT_FALSE(parser.take_continue());
  EXPECT_EQ(parser.feed("ab"), State::kComplete);
}

struct Target {
  std::string_view sent;
  std::string_view understood;
};
TEST(RequestParser, UnderstandsAbsoluteTargets) {
  for (const auto& [sent, understood] :
       {Target{"http://h/a?b", "/a"}, Target{"https://h:1", "/"}, Target{"/a", "/a"}}) {
    RequestParser parser(kLimits);
    ASSERT_EQ(parser.feed("GET " + std::string(sent) + " HTTP/1.1\r\nHost: h\r\n\r\n"),
              State::kComplete)
        << sent;
    EXPECT_EQ(parser.take().target, understood);
  }
}

struct Bad {
  std::string name;
  std::string text;
  int status;
};

class Refused : public testing::TestWithParam<Bad> {};

TEST_P(Refused, WithItsStatus) {
  RequestParser parser(kLimits);
  ASSERT_EQ(parser.feed(GetParam().text), State::kFailed);
  EXPECT_EQ(parser.status(), GetParam().status) << parser.detail();
  EXPECT_EQ(parser.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), State::kFailed)
      << "nothing is parsed behind it";
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Refused,
    testing::Values(
        Bad{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        Bad{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        Bad{"NoHttp", "EHLO there\r\n\r\n", 400},
        Bad{"TlsHello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
        Bad{"BareLineFeeds", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
        Bad{"SpaceInName", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        Bad{"NulInHeader", std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29), 400},
        Bad{"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        Bad{"UnknownMethod", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        Bad{"Options", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        Bad{"NotAPath", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Bad{"HalfEscape", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Bad{"NulEscape", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Bad{"BadQuery", "GET /?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Bad{"TwoLengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
        Bad{"NegativeLength", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        Bad{"LengthAndChunked",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
            "chunked\r\n\r\n0\r\n\r\n",
            400},
        Bad{"ChunkedAndLength",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
            "3\r\n\r\n0\r\n\r\n",
            400},
        Bad{"UnknownCoding",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        Bad{"BadChunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400},
        Bad{"LongBody", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", 413},
        Bad{"LongChunks",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n" +
                std::string(65, 'x') + "\r\n0\r\n\r\n",
            413},
        Bad{"LongHeader", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(600, 'x') + "\r\n\r\n",
            431},
        Bad{"EndlessHeader", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(600, 'x'), 431},
        Bad{"EndlessTarget", "GET /" + std::string(600, 'x'), 431}),
    [](const auto& test) { return test.param.name; });

TEST(RequestParser, HoldsALimitedAmountOctetByOctet) {
  RequestParser parser(kLimits);
  std::size_t fed = 0;
  (void)parser.feed("GET / HTTP/1.1\r\n");
  while (parser.state() == State::kPartial && fed < 10'000) fed += (parser.feed("a"), 1);
  EXPECT_EQ(parser.state(), State::kFailed);
  EXPECT_LE(fed, 600u);
}

TEST(Response, HeadersCannotBreakTheMessage) {
  Response response = Response::text("x");
  response.headers.push_back({"X-Bad", "a\r\nSet-Cookie: b"});
  response.headers.push_back({"X-Good", "a"});
  EXPECT_EQ(render_head(response, true, 784111777),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: "
            "keep-alive\r\nContent-Length: 1\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nX-Good: a\r\n\r\n");
}

TEST(Response, ProblemsAreEscaped) {
  EXPECT_EQ(Response::problem(404, "no \"x\"\n").body,
            "{\"status\":404,\"title\":\"Not Found\",\"detail\":\"no \\\"x\\\"\\n\"}\n");
}

}  // namespace
}  // namespace godwit::http
