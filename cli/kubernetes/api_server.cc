#include "cli/kubernetes/api_server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/task.h"
#include "common/net/address.h"
#include "common/net/stream.h"
#include "common/net/tls.h"

namespace godwit::cli::kubernetes {
namespace {

constexpr std::size_t kAnswerBytesMax = 1 << 20;

std::unexpected<Error> wrong(std::string what) {
  return fail(std::make_error_code(std::errc::protocol_error), std::move(what));
}

Result<std::string> read_token(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string token{std::istreambuf_iterator<char>(in), {}};
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (!in || token.empty() || token.find_first_of("\r\n") != std::string::npos)
    return wrong(file.string() + ": no token");
  return token;
}

// The first address: a service has one.
Result<net::Address> look_up(const ApiServer& server) {
  const std::string name = fmt::format("{}:{}", server.host, server.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int failure = getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found);
      failure != 0)
    return wrong(fmt::format("{}: {}", name, gai_strerror(failure)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> kept(found, freeaddrinfo);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(found->ai_addr, found->ai_addrlen, host.data(), host.size(), port.data(),
                  port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return wrong(name + ": no address");
  const bool v6 = found->ai_family == AF_INET6;
  const auto address = net::Address::from_text(
      fmt::format("{}{}{}:{}", v6 ? "[" : "", host.data(), v6 ? "]" : "", port.data()));
  if (!address) return wrong(name + ": no address");
  return *address;
}

Result<ApiAnswer> parse(std::string_view text) {
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr std::size_t kStatusAt = kVersion.size() + 2;  // "HTTP/1.0 200 OK"
  ApiAnswer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (!text.starts_with(kVersion) || end == std::string_view::npos || end < kStatusAt + 3)
    return wrong("the API server's answer is no HTTP");
  const char* const digits = text.data() + kStatusAt;
  if (std::from_chars(digits, digits + 3, answer.status).ptr != digits + 3)
    return wrong("the API server's answer has no status");
  answer.body = text.substr(end + 4);
  return answer;
}

async::Task<Result<std::string>> talk(async::Shard& shard, net::TlsClientContext& tls,
                                      net::Address address, std::string host, std::string request,
                                      Instant deadline) {
  CO_TRY(net::Stream stream, co_await net::connect(shard, address, std::nullopt, deadline));
  CO_TRY_VOID(co_await stream.start_tls_client(
      tls, {.host = std::move(host), .trust = net::TlsTrust::kVerified}, deadline));
  CO_TRY_VOID(co_await stream.write(request, deadline));
  std::string answer;
  std::array<char, 4096> some{};
  while (answer.size() <= kAnswerBytesMax) {
    CO_TRY(const std::size_t count, co_await stream.read_some(some, deadline));
    if (count == 0) co_return answer;
    answer.append(some.data(), count);
  }
  co_return wrong("the API server's answer is too long");
}

async::Task<void> keep(async::Task<Result<std::string>> task,
                       std::optional<Result<std::string>>& result) {
  result = co_await std::move(task);
}

}  // namespace

Result<ApiAnswer> get(const ApiServer& server, const std::string& path, Duration patience) {
  TRY(const std::string token, read_token(server.service_account / "token"));
  TRY(const auto tls,
      net::TlsClientContext::create({.ca_file = (server.service_account / "ca.crt").string()}));
  TRY(const net::Address address, look_up(server));
  std::string request = fmt::format(
      "GET {} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: application/json\r\n\r\n",
      path, server.host, token);

  std::optional<Result<std::string>> result;
  async::Shards shards(1);
  async::Gate gate;
  shards.start();
  async::Shard& shard = shards.at(0);
  shard.spawn(keep(talk(shard, *tls, address, server.host, std::move(request),
                        system_clock().instant() + patience),
                   result),
              gate);
  gate.close_and_wait();
  shards.stop();
  if (!*result)
    return fail(
        std::move(*result).error().within(fmt::format("the API server at {}", address.to_text())));
  return parse(**result);
}

}  // namespace godwit::cli::kubernetes
