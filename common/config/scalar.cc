#include "common/config/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/config/node.h"

namespace godwit::config {

std::string quote(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "`";
  for (const char c : text.substr(0, kShown)) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) {
      out += fmt::format("\\x{:02x}", octet);
    } else {
      out += c;
    }
  }
  if (text.size() > kShown) out += "...";
  return out += '`';
}

namespace {

std::unexpected<Wrong> wrong(std::string what, std::string right) {
  return std::unexpected(Wrong{std::move(what), std::move(right)});
}

template <class T>
std::expected<T, Wrong> whole(std::string_view text) {
  return Scalar<T>::parse(text);
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Splits leading digits off; nullopt without any or beyond 18 digits.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
  std::uint64_t value = 0;
  std::size_t length = 0;
  while (length < text.size() && text[length] >= '0' && text[length] <= '9') {
    if (length == 18) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(text[length++] - '0');
  }
  if (length == 0) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

struct Unit {
  std::string_view name;
  std::uint64_t size;
};
constexpr auto kDurations = std::to_array<Unit>(
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}});
constexpr auto kSizes = std::to_array<Unit>({{"TiB", 1ull << 40},
                                             {"GiB", 1ull << 30},
                                             {"MiB", 1ull << 20},
                                             {"KiB", 1ull << 10},
                                             {"TB", 1'000'000'000'000},
                                             {"GB", 1'000'000'000},
                                             {"MB", 1'000'000},
                                             {"kB", 1000},
                                             {"B", 1}});

std::string_view take_letters(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && ((text[length] >= 'a' && text[length] <= 'z') ||
                                  (text[length] >= 'A' && text[length] <= 'Z'))) {
    ++length;
  }
  const std::string_view letters = text.substr(0, length);
  text.remove_prefix(length);
  return letters;
}

}  // namespace

Wrong wrong_integer(std::string_view text, std::string_view low, std::string_view high) {
  const std::string range = fmt::format("{} to {}", low, high);
  if (is_number(text)) return {quote(text) + " is out of range", range};
  return {quote(text) + " is not a whole number", range};
}

Wrong wrong_name(std::string_view text, const std::vector<std::string_view>& names) {
  if (const auto near = nearest(text, names)) {
    return {quote(text) + " is not known", fmt::format("did you mean `{}`?", *near)};
  }
  return {quote(text) + " is not known", fmt::format("one of {}", fmt::join(names, ", "))};
}

std::expected<bool, Wrong> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return wrong(quote(text) + " is not a switch", "true or false");
}

std::expected<double, Wrong> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return wrong(quote(text) + " is not a number", "a number such as 1.5");
  }
  return value;
}

std::string Scalar<double>::render(double value) {
  return fmt::format("{}", value);
}

std::expected<std::chrono::milliseconds, Wrong> parse_duration(std::string_view text) {
  constexpr std::string_view kRight = "a number and a unit (ms, s, m, h, d), such as 20m or 1h30m";
  constexpr std::uint64_t kMax =
      36'500ull * 86'400'000;  // a hundred years: sums of two never overflow
  if (text == "0") return std::chrono::milliseconds(0);
  std::string_view rest = text;
  std::uint64_t total = 0;
  std::uint64_t smallest = UINT64_MAX;
  while (!rest.empty() || text.empty()) {
    const auto digits = take_digits(rest);
    if (!digits) return wrong(quote(text) + " is not a duration", std::string(kRight));
    const std::string_view name = take_letters(rest);
    if (name.empty()) return wrong(quote(text) + " has no unit", std::string(kRight));
    const auto* const unit = std::ranges::find(kDurations, name, &Unit::name);
    if (unit == kDurations.end() || unit->size >= smallest) {  // 30m1h and 1h1h are slips
      return wrong(quote(text) + " is not a duration", std::string(kRight));
    }
    smallest = unit->size;
    if (*digits > kMax / unit->size || (total += *digits * unit->size) > kMax) {
      return wrong(quote(text) + " is too long", "at most 36500d");
    }
  }
  return std::chrono::milliseconds(total);
}

std::string render_duration(std::chrono::milliseconds value) {
  auto rest = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : kDurations) {
    if (const std::uint64_t count = rest / unit.size; count > 0) {
      text += fmt::format("{}{}", count, unit.name);
      rest -= count * unit.size;
    }
  }
  return text;
}

std::expected<std::uint64_t, Wrong> parse_bytes(std::string_view text) {
  constexpr std::string_view kRight = "octets, or a number and a unit, such as 64KiB or 35MiB";
  std::string_view rest = text;
  const auto digits = take_digits(rest);
  if (!digits) return wrong(quote(text) + " is not a size", std::string(kRight));
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  if (rest.empty()) return *digits;
  const auto* const unit = std::ranges::find(kSizes, rest, &Unit::name);
  if (unit == kSizes.end()) return wrong(quote(text) + " is not a size", std::string(kRight));
  if (*digits > UINT64_MAX / unit->size)
    return wrong(quote(text) + " is too large", "at most 16777215TiB");
  return *digits * unit->size;
}

std::string render_bytes(std::uint64_t value) {
  for (const Unit& unit : kSizes) {
    if (unit.name.ends_with("iB") && value >= unit.size && value % unit.size == 0) {
      return fmt::format("{}{}", value / unit.size, unit.name);
    }
  }
  return std::to_string(value);
}

std::string HostPort::to_text() const {
  if (empty()) return {};
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::expected<HostPort, Wrong> parse_host_port(std::string_view text) {
  if (text.empty()) return HostPort{};
  const auto not_one = [&](std::string_view why) {
    return wrong(quote(text) + std::string(why), "host:port, such as 127.0.0.1:2525 or [::1]:2525");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return not_one(" has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) {
    return wrong(quote(text) + " has no valid port",
                 "a port from 0 to 65535; 0 means any free one");
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!host.contains(':')) return not_one(" has brackets around what is not an IPv6 address");
  } else if (host.contains(':')) {
    return not_one(" has an IPv6 address without brackets");
  }
  const bool clean = std::ranges::all_of(host, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == ':' || c == '_' || c == '%';
  });
  if (host.empty() || !clean) return not_one(" has no valid host");
  return HostPort{std::string(host), port};
}

}  // namespace godwit::config
