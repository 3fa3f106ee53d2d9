#include "common/smtp/sasl.h"

#include <cstring>
#include <utility>

#include "common/smtp/domain.h"
#include "common/text/base64.h"
#include "common/text/idna.h"

namespace godwit::smtp {
namespace {

constexpr std::size_t kNameBytesMax = 255;  // RFC 4616 s2

Reply not_base64() {
  return Reply::of(501, {5, 5, 2}, "Cannot decode that base64");
}
Reply bad_response() {
  return Reply::of(501, {5, 5, 2}, "Malformed authentication response");
}

void overwrite(std::string& secret) {
  if (!secret.empty()) explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace

void wipe(Credentials& credentials) {
  overwrite(credentials.password);
  credentials.username.clear();
  credentials.authorization.clear();
}

std::expected<AuthExchange::Step, Reply> AuthExchange::begin(std::string_view argument) {
  const auto space = argument.find(' ');
  const auto name = argument.substr(0, space);
  if (name.empty()) return std::unexpected(Reply::of(501, {5, 5, 4}, "Syntax: AUTH mechanism"));
  if (text::equals_ignoring_case(name, "PLAIN")) {
    credentials_.mechanism = Mechanism::kPlain;
  } else if (text::equals_ignoring_case(name, "LOGIN")) {
    credentials_.mechanism = Mechanism::kLogin;
  } else {
    return std::unexpected(Reply::of(504, {5, 5, 4}, "Authentication mechanism not supported"));
  }
  if (space == std::string_view::npos) return Step::kChallenge;
  const auto initial = argument.substr(space + 1);
  if (initial == "=") return response("");  // RFC 4954 s4: an empty initial response
  return decoded(initial);
}

std::expected<AuthExchange::Step, Reply> AuthExchange::line(std::string_view line) {
  if (line == "*") return std::unexpected(Reply::of(501, {5, 7, 0}, "Authentication cancelled"));
  return decoded(line);
}

std::expected<AuthExchange::Step, Reply> AuthExchange::decoded(std::string_view base64) {
  auto octets = text::base64_decode(base64);
  if (!octets) return std::unexpected(not_base64());
  auto step = response(*octets);
  overwrite(*octets);
  return step;
}

std::expected<AuthExchange::Step, Reply> AuthExchange::response(std::string_view octets) {
  if (credentials_.mechanism == Mechanism::kLogin) {
    if (octets.size() > kNameBytesMax || octets.find('\0') != std::string_view::npos) {
      return std::unexpected(bad_response());
    }
    if (!std::exchange(have_username_, true)) {
      if (octets.empty()) return std::unexpected(bad_response());
      credentials_.username = octets;
      return Step::kChallenge;
    }
    credentials_.password = octets;
    return Step::kDone;
  }
  // RFC 4616 s2: [authzid] NUL authcid NUL passwd
  const auto first = octets.find('\0');
  if (first == std::string_view::npos) return std::unexpected(bad_response());
  const auto second = octets.find('\0', first + 1);
  if (second == std::string_view::npos) return std::unexpected(bad_response());
  const auto authorization = octets.substr(0, first);
  const auto username = octets.substr(first + 1, second - first - 1);
  const auto password = octets.substr(second + 1);
  if (username.empty() || username.size() > kNameBytesMax || authorization.size() > kNameBytesMax ||
      password.size() > kNameBytesMax || password.find('\0') != std::string_view::npos) {
    return std::unexpected(bad_response());
  }
  credentials_.authorization = authorization;
  credentials_.username = username;
  credentials_.password = password;
  return Step::kDone;
}

std::string_view AuthExchange::challenge() const {
  if (credentials_.mechanism == Mechanism::kPlain) return "";
  return have_username_ ? "UGFzc3dvcmQ6" : "VXNlcm5hbWU6";  // "Password:" and "Username:"
}

Credentials AuthExchange::take_credentials() {
  return std::exchange(credentials_, {});
}

std::string plain_response(const Credentials& credentials) {
  std::string octets = credentials.authorization;
  octets += '\0';
  octets += credentials.username;
  octets += '\0';
  octets += credentials.password;
  auto text = text::base64_encode(octets);
  overwrite(octets);
  return text;
}

}  // namespace godwit::smtp
