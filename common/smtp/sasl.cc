#include "common/smtp/sasl.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/smtp/domain.h"

namespace godwit::smtp {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kNameBytesMax = 255;  // RFC 4616 s2

constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

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

std::string encode_base64(std::string_view octets) {
  std::string out;
  out.reserve((octets.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : octets) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    if (++count == 3) {
      for (int shift = 18; shift >= 0; shift -= 6) out += kAlphabet[bits >> shift & 63];
      bits = 0;
      count = 0;
    }
  }
  if (count == 1) {
    out += kAlphabet[bits >> 2 & 63];
    out += kAlphabet[bits << 4 & 63];
    out += "==";
  } else if (count == 2) {
    out += kAlphabet[bits >> 10 & 63];
    out += kAlphabet[bits >> 4 & 63];
    out += kAlphabet[bits << 2 & 63];
    out += '=';
  }
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++count == 4) {
      out += static_cast<char>(bits >> 16 & 255);
      out += static_cast<char>(bits >> 8 & 255);
      out += static_cast<char>(bits & 255);
      bits = 0;
      count = 0;
    }
  }
  if (padding == 2) {
    if (count != 2 || (bits & 15) != 0) return std::nullopt;  // RFC 4648 s3.5: spare bits are zero
    out += static_cast<char>(bits >> 4 & 255);
  } else if (padding == 1) {
    if (count != 3 || (bits & 3) != 0) return std::nullopt;
    out += static_cast<char>(bits >> 10 & 255);
    out += static_cast<char>(bits >> 2 & 255);
  } else if (count != 0) {
    return std::nullopt;
  }
  return out;
}

std::expected<AuthExchange::Step, Reply> AuthExchange::begin(std::string_view argument) {
  const auto space = argument.find(' ');
  const auto name = argument.substr(0, space);
  if (name.empty()) return std::unexpected(Reply::of(501, {5, 5, 4}, "Syntax: AUTH mechanism"));
  if (equal_ignoring_case(name, "PLAIN")) {
    credentials_.mechanism = Mechanism::kPlain;
  } else if (equal_ignoring_case(name, "LOGIN")) {
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
  auto octets = decode_base64(base64);
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
  auto text = encode_base64(octets);
  overwrite(octets);
  return text;
}

}  // namespace godwit::smtp
