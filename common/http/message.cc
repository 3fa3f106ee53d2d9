#include "common/http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "common/observe/json_text.h"

namespace godwit::http {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

Response with_type(std::string body, int status, std::string_view type) {
  return {status, {{"Content-Type", std::string(type)}}, std::move(body)};
}

// RFC 9110 s5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string imf_date(std::int64_t unix_seconds) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds time{seconds{unix_seconds}};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool breaks_message(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

}  // namespace

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kGet: return "GET";
    case Method::kPost: return "POST";
    case Method::kPut: return "PUT";
    case Method::kPatch: return "PATCH";
    case Method::kDelete: return "DELETE";
  }
  return "GET";
}

std::optional<std::string_view> Request::header(std::string_view name) const {
  const auto found =
      std::ranges::find_if(headers, [&](const Header& h) { return same_name(h.name, name); });
  return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->value);
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  const auto found =
      std::ranges::find_if(query, [&](const auto& pair) { return pair.first == name; });
  return found == query.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

Response Response::text(std::string body, int status) {
  return with_type(std::move(body), status, "text/plain; charset=utf-8");
}
Response Response::html(std::string body, int status) {
  return with_type(std::move(body), status, "text/html; charset=utf-8");
}
Response Response::json(std::string body, int status) {
  return with_type(std::move(body), status, "application/json");
}
Response Response::problem(int status, std::string_view detail) {
  constexpr std::size_t kDetailBytesMax = 1024;
  std::string body = fmt::format(R"({{"status":{},"title":)", status);
  observe::append_json_string(body, reason(status), kDetailBytesMax);
  if (!detail.empty()) {
    body += R"(,"detail":)";
    observe::append_json_string(body, detail, kDetailBytesMax);
  }
  return with_type(std::move(body) + "}\n", status, "application/problem+json");
}

std::string_view reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Status";
  }
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string render_head(const Response& response, bool keep_alive, std::int64_t unix_seconds) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: {}\r\n",
                                 response.status, reason(response.status), imf_date(unix_seconds),
                                 keep_alive ? "keep-alive" : "close");
  // RFC 9110 s8.6: none with 204; 304 would have to name the length of what was not sent.
  if (response.status != 204 && response.status != 304) {
    head += fmt::format("Content-Length: {}\r\n", response.body.size());
  }
  for (const Header& header : response.headers) {
    if (breaks_message(header.name) || breaks_message(header.value)) continue;
    head += header.name + ": " + header.value + "\r\n";
  }
  return head += "\r\n";
}

}  // namespace godwit::http
