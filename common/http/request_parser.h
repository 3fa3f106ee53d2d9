#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/message.h"

namespace godwit::http {

struct ParserLimits {
  std::uint32_t header_bytes_max = 16 * 1024;
  std::uint64_t body_bytes_max = 1024 * 1024;
};

// Octets in, requests out; Boost.Beast does the grammar (RFC 9112). One parser serves one connection.
//
// Input     octets as they come, in any pieces
// Output    Request; pipelined requests come one by one
// Errors    a status that ends the connection: 400, 413, 431, 501 (method or transfer coding), 505. Stricter than
//           the RFC: a request with Content-Length and Transfer-Encoding is refused (s6.3 lets us)
// Limits    ParserLimits; memory: one header, one body and one feed()
// Threads   pure; no I/O, no clock
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  enum class State : std::uint8_t {
    kIdle,      // between requests: nothing of the next one has come
    kPartial,   // feed more
    kComplete,  // take() it
    kFailed,    // answer with status() and close
  };
  State feed(std::string_view octets);
  [[nodiscard]] State state() const;
  [[nodiscard]] int status() const;               // of kFailed
  [[nodiscard]] std::string_view detail() const;  // of kFailed, for the client

  // True once, when the client waits for "100 Continue" before it sends the body (RFC 9110 s10.1.1).
  [[nodiscard]] bool take_continue();

  // The complete request. What came behind it is looked at: see state().
  [[nodiscard]] Request take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::http
