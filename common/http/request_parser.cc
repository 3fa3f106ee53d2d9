#include "common/http/request_parser.h"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/optional.hpp>
#include <optional>
#include <utility>

#include "common/async/asio.h"
#include "common/base/check.h"

namespace godwit::http {

namespace beast = boost::beast::http;

namespace {

struct Refusal {
  int status;
  std::string_view detail;
};

Refusal refusal_of(const boost::system::error_code& error) {
  if (error == beast::error::header_limit) return {431, "The header is too large."};
  if (error == beast::error::body_limit) return {413, "The body is too large."};
  if (error == beast::error::bad_version) return {505, "Use HTTP/1.1."};
  if (error == beast::error::bad_transfer_encoding)
    return {400, "Transfer-Encoding is not valid here."};
  if (error == beast::error::bad_content_length || error == beast::error::multiple_content_length) {
    return {400, "Content-Length is not valid."};
  }
  return {400, "The request is malformed."};
}

std::optional<Method> method_of(beast::verb verb) {
  switch (verb) {
    case beast::verb::get:
    case beast::verb::head: return Method::kGet;
    case beast::verb::post: return Method::kPost;
    case beast::verb::put: return Method::kPut;
    case beast::verb::patch: return Method::kPatch;
    case beast::verb::delete_: return Method::kDelete;
    default: return std::nullopt;
  }
}

// The part of the target that is a path and a query. RFC 9112 s3.2.2: absolute-form must be understood.
std::optional<std::string_view> origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const std::size_t slash = target.find('/', scheme.size());
    return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  return target.starts_with('/') ? std::optional(target) : std::nullopt;
}

bool read_query(std::string_view text, Request& request) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return false;
    request.query.emplace_back(*std::move(name), *std::move(value));
  }
  return true;
}

}  // namespace

struct RequestParser::Impl {
  using Parser = beast::request_parser<beast::string_body>;

  explicit Impl(ParserLimits parser_limits) : limits(parser_limits) { begin(); }

  void begin() {
    parser.emplace();
    parser->header_limit(limits.header_bytes_max);
    parser->body_limit(limits.body_bytes_max);
    parser->eager(true);
    header_seen = false;
    waits_for_continue = false;
    request = Request{};
    state = State::kIdle;
  }

  void refuse(Refusal refusal) {
    state = State::kFailed;
    failure = refusal;
    buffer.clear();
  }

  void advance() {
    while (state != State::kFailed && state != State::kComplete && !buffer.empty()) {
      state = State::kPartial;
      boost::system::error_code error;
      const std::size_t used =
          parser->put(boost::asio::buffer(buffer.data(), buffer.size()), error);
      buffer.erase(0, used);
      if (error && error != beast::error::need_more) return refuse(refusal_of(error));
      if (parser->is_header_done() && !header_seen) {
        header_seen = true;
        if (!read_header()) return;
      }
      if (parser->is_done()) {
        request.body = std::move(parser->get().body());
        state = State::kComplete;
        return;
      }
      if (used == 0 || error == beast::error::need_more) break;
    }
    // Beast counts the header's limit only when it has all of it; a header that never ends is cut here.
    if (state == State::kPartial && !header_seen && buffer.size() > limits.header_bytes_max) {
      refuse({431, "The header is too large."});
    }
  }

  // Everything but the body. False: refused.
  bool read_header() {
    const auto& message = parser->get();
    const auto method = method_of(message.method());
    if (!method) {
      refuse({501, "The method is not known here."});
      return false;
    }
    request.method = *method;
    request.head = message.method() == beast::verb::head;
    request.keep_alive = parser->keep_alive();
    std::size_t hosts = 0;
    for (const auto& field : message) {
      if (field.name() == beast::field::host) ++hosts;
      request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    // RFC 9112 s3.2: exactly one Host in HTTP/1.1.
    if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
      refuse({400, "One Host header field is needed."});
      return false;
    }
    // RFC 9112 s6.1: a coding we do not know is 501; we know chunked alone.
    if (const auto coding = request.header("Transfer-Encoding"); coding && *coding != "chunked") {
      refuse({501, "The transfer coding is not known here."});
      return false;
    }
    waits_for_continue = request.header("Expect") == "100-continue" && !parser->is_done();
    return read_target(std::string(message.target()));
  }

  bool read_target(std::string_view target) {
    const auto path_and_query = origin_form(target);
    if (path_and_query) {
      const std::size_t mark = std::min(path_and_query->find('?'), path_and_query->size());
      request.target = path_and_query->substr(0, mark);
      const auto query = path_and_query->substr(std::min(mark + 1, path_and_query->size()));
      if (percent_decode(request.target, false) && read_query(query, request)) return true;
    }
    refuse({400, "The target is malformed."});
    return false;
  }

  ParserLimits limits;
  std::optional<Parser> parser;
  std::string buffer;  // what Beast has not taken yet
  bool header_seen = false;
  bool waits_for_continue = false;
  Request request;
  State state = State::kIdle;
  Refusal failure{};
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::State RequestParser::feed(std::string_view octets) {
  if (impl_->state != State::kFailed) {
    impl_->buffer += octets;
    impl_->advance();
  }
  return impl_->state;
}

RequestParser::State RequestParser::state() const {
  return impl_->state;
}
int RequestParser::status() const {
  return impl_->failure.status;
}
std::string_view RequestParser::detail() const {
  return impl_->failure.detail;
}

bool RequestParser::take_continue() {
  return impl_->state == State::kPartial && std::exchange(impl_->waits_for_continue, false);
}

Request RequestParser::take() {
  CHECK(impl_->state == State::kComplete, "no request to take");
  Request request = std::move(impl_->request);
  impl_->begin();
  impl_->advance();
  return request;
}

}  // namespace godwit::http
