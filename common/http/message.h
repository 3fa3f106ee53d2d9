#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/net/address.h"

namespace godwit::http {

enum class Method : std::uint8_t { kGet, kPost, kPut, kPatch, kDelete };
[[nodiscard]] std::string_view method_name(Method method);

struct Header {
  std::string name;
  std::string value;
};

using Parameters = std::map<std::string, std::string, std::less<>>;

// One request, whole. All of it is the peer's text: escape it wherever it is shown.
struct Request {
  Method method = Method::kGet;
  bool head = false;   // HEAD: method is kGet, the body is not sent
  std::string target;  // path as sent, "/a%2Fb", without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Parameters parameters;  // of the route, decoded: "/v1/messages/{id}" gives "id"
  std::vector<Header> headers;
  std::string body;
  bool keep_alive = true;
  net::Address remote;

  // The first value; header names compare without regard to case.
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

// "Not Found"; "Status" for codes that have no name here.
[[nodiscard]] std::string_view reason(int status);

// Undoes %XX (and, in a query, "+" for a space). nullopt: "%" without two hexadecimal digits, or a NUL.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// Status line and header fields, up to and with the empty line; the body follows unless `head`. A header field
// that would break the message (CR, LF or NUL in it) is left out.
[[nodiscard]] std::string render_head(const Response& response, bool keep_alive,
                                      std::int64_t unix_seconds);

}  // namespace godwit::http
