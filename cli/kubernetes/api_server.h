#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace godwit::cli::kubernetes {

// The API server as a pod sees it.
struct ApiServer {
  std::string host;  // KUBERNETES_SERVICE_HOST: an address or a name
  std::string port;  // KUBERNETES_SERVICE_PORT
  // Where the kubelet puts `token` and `ca.crt`.
  std::filesystem::path service_account;
};

struct ApiAnswer {
  int status = 0;
  std::string body;
};

// GET of one path, over TLS that is verified against ca.crt, with the token.
//
// Errors     what keeps it from being asked, or from answering in time, in words
// Limits     an answer of at most 1 MiB; `patience` for all of it, but for a name's look-up
// Threads    blocks the caller's
// Source     RFC 9112; asked as HTTP/1.0, so that the body ends with the connection
[[nodiscard]] Result<ApiAnswer> get(const ApiServer& server, const std::string& path,
                                    Duration patience);

}  // namespace godwit::cli::kubernetes
